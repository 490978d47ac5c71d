"""The torrc of our own tor, as a text (tor(1), "tor configuration file")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class OnionLines:
    """An onion service of this tor: the folder with its key, and what each virtual port leads to."""

    folder: Path
    ports: tuple[tuple[int, Path], ...]
    """Virtual port → Unix socket."""
    pow_defence: bool = False
    """Whether callers must prove work while there are too many of them; this tor must know how to."""


@dataclass(frozen=True, slots=True)
class TorrcValues:
    """Everything that the torrc says about this agent."""

    data_directory: Path
    control_socket: Path
    cookie_file: Path
    log_file: Path
    owner_pid: int
    """Tor ends when this process is gone."""
    onions: tuple[OnionLines, ...]
    extra: str = ""
    """Lines that the owner adds (tor.torrc_extra)."""


def render(values: TorrcValues) -> str:
    """The whole torrc; raises ConfigError when tor could not read one of the paths."""
    lines = [
        "# Written by enigma-fed at every start. Changes here are lost: use tor.torrc_extra.",
        f"DataDirectory {quoted(values.data_directory)}",
        "ClientOnly 1",
        # Onions only: no name is looked up and no exit used for us, whatever is asked of the port.
        "SocksPort 127.0.0.1:auto ExtendedErrors IsolateSOCKSAuth OnionTrafficOnly",
        f"ControlSocket {quoted(values.control_socket)}",
        "CookieAuthentication 1",
        f"CookieAuthFile {quoted(values.cookie_file)}",
        f"__OwningControllerProcess {values.owner_pid}",
        f'Log "notice file {checked(values.log_file)}"',
        *_onion_lines(values.onions),
    ]
    if values.extra:
        lines += ["# From tor.torrc_extra:", values.extra.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _onion_lines(onions: Sequence[OnionLines]) -> list[str]:
    lines: list[str] = []
    for onion in onions:
        lines += [
            f"HiddenServiceDir {quoted(onion.folder)}",
            *(f"HiddenServicePort {port} unix:{quoted(socket)}" for port, socket in onion.ports),
            "HiddenServiceExportCircuitID haproxy",
            f"HiddenServiceMaxStreams {limits.TOR_STREAMS_PER_CIRCUIT}",
            "HiddenServiceMaxStreamsCloseCircuit 1",
        ]
        if onion.pow_defence:
            lines += [
                "HiddenServicePoWDefensesEnabled 1",
                f"HiddenServicePoWQueueRate {limits.TOR_POW_QUEUE_RATE}",
                f"HiddenServicePoWQueueBurst {limits.TOR_POW_QUEUE_BURST}",
            ]
    return lines


def quoted(path: Path) -> str:
    """A path as tor reads it, in double quotes; raises ConfigError."""
    return f'"{checked(path)}"'


def checked(path: Path) -> str:
    """A path that can stand in double quotes as it is; raises ConfigError."""
    text = str(path)
    if any(character in '"\\' or not character.isprintable() for character in text):
        raise ConfigError(
            f"tor cannot use the path {text!r}", hint="Choose a folder without quotes or backslashes."
        )
    return text
