"""`enigma-fed config …`: what is configured, and by what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Group

if TYPE_CHECKING:
    from enigma_fed.config import Config, Value


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


def _shown(loaded: Config) -> Iterator[tuple[str, Value]]:
    """Every key that has a value, and the value; a secret is only said to be there."""
    from enigma_fed.config import describe

    for doc in describe():
        value = loaded.settings.value(doc.key)
        if doc.secret and value:
            yield doc.key, "(secret)"
        elif value is not None:
            yield doc.key, value


def _as_list(loaded: Config) -> list[dict[str, Value]]:
    return [{"key": key, "value": value, "origin": loaded.origins[key]} for key, value in _shown(loaded)]


def _as_tables(loaded: Config) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for key, value in _shown(loaded):
        *path, name = key.split(".")
        table = tables
        for part in path:
            table = table.setdefault(part, {})
        table[name] = value
    return tables


def _as_toml(loaded: Config, *, origin: bool) -> str:
    import msgspec

    lines: list[str] = []
    before = ""
    for key, value in _shown(loaded):
        section, _, name = key.rpartition(".")
        if section != before:
            lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
            before = section
        line = f"{name} = {msgspec.json.encode(value).decode()}"
        lines.append(f"{line}  # {loaded.origins[key]}" if origin else line)
    return "\n".join(lines)
