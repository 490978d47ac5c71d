"""`enigma-fed config …`: what is configured, and by what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Group

if TYPE_CHECKING:
    from enigma_fed.config import Config


@click.group("config", cls=Group, examples=("enigma-fed config show --origin",))
def config() -> None:
    """Show the configuration."""


@config.command(
    "show",
    examples=("enigma-fed config show", "ENIGMA_FED_TOR__MODE=off enigma-fed config show --origin"),
)
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
def show(origin: bool) -> None:
    """Show every setting as it counts, in the form of the configuration file.

    A flag is stronger than the environment, the environment than the file, the file than the default.
    """
    from enigma_fed.cli import output, wiring

    here = current()
    loaded = wiring.node_config(wiring.node_paths(here.flags))
    if here.json:
        output.data_json(_as_list(loaded) if origin else _as_tables(loaded))
        return
    output.data(_as_toml(loaded, origin=origin))


def _as_list(loaded: Config) -> list[dict[str, str | int]]:
    return [
        {"key": key, "value": loaded.settings.value(key), "origin": origin}
        for key, origin in loaded.origins.items()
    ]


def _as_tables(loaded: Config) -> dict[str, dict[str, str | int]]:
    tables: dict[str, dict[str, str | int]] = {}
    for key in loaded.origins:
        section, _, name = key.partition(".")
        tables.setdefault(section, {})[name] = loaded.settings.value(key)
    return tables


def _as_toml(loaded: Config, *, origin: bool) -> str:
    import msgspec

    lines: list[str] = []
    for section, content in _as_tables(loaded).items():
        lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
        for name, value in content.items():
            line = f"{name} = {msgspec.json.encode(value).decode()}"
            lines.append(f"{line}  # {loaded.origins[f'{section}.{name}']}" if origin else line)
    return "\n".join(lines)
