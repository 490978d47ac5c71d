"""`enigma-fed registry serve|init|rotate-key`: a registry that runs by itself, and its configuration."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path
from typing import Final

import click

from enigma_fed.cli.context import Flags, current
from enigma_fed.cli.groups import Command

_FILE: Final = Path("registry.toml")
_OVERLAP_MOST: Final = 3650 * 86400


@click.command(
    "serve",
    cls=Command,
    examples=(
        "enigma-fed registry serve --config registry.toml",
        "enigma-fed registry serve --config /etc/enigma-fed/registry.toml --log-format json",
    ),
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="Least important lines that are logged.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of a line, on standard error.",
)
def serve(log_level: str, log_format: str) -> None:
    """Run a registry by itself in the foreground, until Ctrl-C or SIGTERM.

    Its configuration is `--config FILE`, else registry.toml in this folder. On SIGHUP, and within seconds
    of a change, it takes over new envelope keys, limits, peers and certificates; connections go on. With
    `--json` its base URL and DID are printed once it answers.
    """
    from enigma_fed.cli import output
    from enigma_fed.daemon.registryalone import run_registry

    here = current()

    def heard(url: str, did: str) -> None:
        if here.json:
            output.data_json({"url": url, "did": did})

    run_registry(_file(here.flags), log_level, log_format, heard)


@click.command(
    "init",
    cls=Command,
    examples=("enigma-fed registry init", "enigma-fed registry init --config /etc/enigma-fed/registry.toml"),
)
def init() -> None:
    """Make a registry's configuration with fresh secrets, for its owner alone (mode 600).

    The file is `--config FILE`, else registry.toml in this folder. In a file that is there already only
    secrets that everyone knows (of a published example, or one byte repeated) are replaced.
    """
    from enigma_fed.base.errors import ConfigError, Conflict
    from enigma_fed.cli import output
    from enigma_fed.daemon import registryfiles
    from enigma_fed.registry import configedit
    from enigma_fed.storage import modes

    here = current()
    path = _file(here.flags)
    replaced: tuple[str, ...] = ()
    if path.exists():
        replaced = registryfiles.edit(
            path, lambda text: configedit.with_fresh_secrets(text, os.urandom), kept=modes.FILE_MODE
        )
        if not replaced:
            raise Conflict(f"{path} is there, and its secrets are its own", hint=f"Start it: {_start(path)}")
    elif not path.absolute().parent.is_dir():
        folder = shlex.quote(str(path.parent))
        raise ConfigError(f"{path}: there is no such folder", hint=f"Make it: mkdir -p {folder}")
    else:
        registryfiles.create(path, configedit.fresh(os.urandom))
    if here.json:
        output.data_json({"config": str(path.absolute()), "replaced": list(replaced)})
        return
    done = f"In {path} there are fresh values for: {', '.join(replaced)}." if replaced else f"{path} is made."
    output.talk(f"{done} It holds secrets: keep it to yourself; clients need the pepper.")
    output.talk(f"Next: {_start(path)}")


@click.command(
    "rotate-key",
    cls=Command,
    examples=(
        "enigma-fed registry rotate-key --config registry.toml",
        "enigma-fed registry rotate-key --overlap 7d",
    ),
)
@click.option(
    "--overlap",
    metavar="TIME",
    default="30d",
    show_default=True,
    help="How long the keys so far open what clients seal to them: 0 for not at all, 12h, 30d.",
)
def rotate_key(overlap: str) -> None:
    """Put a fresh envelope key in front of a registry's keys.

    It seals all answers from now on; the keys before it still open what clients seal to them, for a
    while. A running registry takes it over within seconds. The file is `--config FILE`, else registry.toml
    in this folder, else the one of this node's own registry; comments in it stay.
    """
    from enigma_fed.cli import output
    from enigma_fed.daemon.registryenvelope import rotate
    from enigma_fed.wire.timestamps import to_text

    here = current()
    seconds = _overlap(overlap)
    now = int(time.time())
    path = _file_of_keys(here.flags)
    kid = rotate(path, os.urandom, now * 1000, seconds * 1000)
    until = to_text(now + seconds)
    if here.json:
        output.data_json({"config": str(path.absolute()), "kid": kid, "others_until": until})
        return
    before = f"those before it open until {until}" if seconds else "those before it open no more"
    output.talk(f"The key {kid} in {path} seals the answers from now on; {before}.")


def _file(flags: Flags) -> Path:
    return _FILE if flags.config is None else Path(flags.config)


def _file_of_keys(flags: Flags) -> Path:
    """A registry's own file, the agent's when it has `[registry.envelope]`, or the one that it made."""
    from enigma_fed.base.errors import ConfigError
    from enigma_fed.cli import wiring
    from enigma_fed.daemon.registryenvelope import own_file
    from enigma_fed.registry import configfile

    if flags.config is None and _FILE.exists():
        return _FILE
    path = None if flags.config is None else Path(flags.config)
    if path is not None:
        tables = configfile.parse(configfile.read(path)[0], str(path))
        if "envelope" in tables or "envelope" in tables.get("registry", ()):
            return path
    paths = wiring.node_paths(flags)
    registry = wiring.node_config(paths).settings.registry
    if registry.envelope.keys and paths.config is not None:
        return paths.config
    made = own_file(registry, paths.config, paths.data_dir)
    if not made.exists():
        raise ConfigError(
            f"there is no {_FILE} in this folder, and this node's own registry has no keys yet ({made})",
            hint="Name the registry's file: --config FILE",
        )
    return made


def _overlap(text: str) -> int:
    from enigma_fed.base.errors import UsageError
    from enigma_fed.cli.types import parse_ago

    if text.isdigit() and int(text):
        raise UsageError(f"--overlap: {text} of what?", hint="Such as 12h or 30d; 0 for not at all.")
    try:
        seconds = parse_ago(text)
    except ValueError as error:
        raise UsageError(f"--overlap: {error}") from None
    if seconds > _OVERLAP_MOST:
        raise UsageError("--overlap: it must not be longer than 3650d")
    return seconds


def _start(path: Path) -> str:
    return f"enigma-fed registry serve --config {shlex.quote(str(path))}"
