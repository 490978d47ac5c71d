"""What tor says about its start and its network, as values and in plain words (control-spec, "Events")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_LINE_CHARACTERS: Final = 2048
"""Of a line of tor's: a word without an end would be looked at from each of its letters on."""
_ARGUMENT: Final = re.compile(r'([A-Z0-9_]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "NOROUTE": "this machine has no network, or no way to the internet",
        "NO_ROUTE": "this machine has no network, or no way to the internet",
        "CONNECTREFUSED": "the Tor network's computers refuse the connection; a firewall may block Tor",
        "CONNECTRESET": "connections to the Tor network are cut off; a firewall may block Tor",
        "DONE": "connections to the Tor network are closed at once; a firewall or proxy may block Tor",
        "TIMEOUT": "connections to the Tor network get no answer; the network may be down or block Tor",
        "TLS_ERROR": "the encrypted connection to Tor fails; something on the way may tamper with it",
        "IDENTITY": "a Tor computer is not who it should be; something on the way may tamper with it",
        "IOERROR": "connections to the Tor network break off",
        "RESOURCELIMIT": "this machine has run out of connections or memory",
        "PT_MISSING": "Tor lacks a program that its settings ask for",
    }
)
_NO_NETWORK: Final = frozenset({"NOROUTE", "NO_ROUTE"})
_UNKNOWN_REASON: Final = "Tor cannot connect to its network"


@dataclass(frozen=True, slots=True)
class BootstrapReport:
    """How far tor has come: percent, its own tag and summary, and why it does not get on ("" if it does)."""

    percent: int
    tag: str
    summary: str
    reason: str


def parse_bootstrap(line: str) -> BootstrapReport | None:
    """Read `NOTICE|WARN BOOTSTRAP PROGRESS=… TAG=… SUMMARY=… …`; None when it says something else."""
    if " BOOTSTRAP " not in f" {line} ":
        return None
    arguments = _arguments(line)
    progress = arguments.get("PROGRESS", "")
    if not progress.isascii() or not progress.isdigit():
        return None
    return BootstrapReport(
        percent=min(int(progress[:4]), 100),
        tag=arguments.get("TAG", ""),
        summary=arguments.get("SUMMARY", ""),
        reason=_reason(arguments) if "WARNING" in arguments or "REASON" in arguments else "",
    )


def parse_trouble(line: str) -> str | None:
    """Read the other status events: why there is trouble, "" when it is over, None when it says neither."""
    arguments = _arguments(line)
    words = line.split()
    if "CLOCK_SKEW" in words:
        return f"this machine's clock is wrong{_skew(arguments.get('SKEW', ''))}; Tor needs the right time"
    if "CIRCUIT_NOT_ESTABLISHED" in words:
        return "Tor has lost its network"
    if "CIRCUIT_ESTABLISHED" in words or "ENOUGH_DIR_INFO" in words:
        return ""
    return None


def connection_trouble(word: str, *, bootstrapped: bool) -> str:
    """Why connections to relays fail, by tor's word for one that failed; "" when one failure means nothing.

    Without any network tor reports no trouble with its start, only these. Later on a single
    relay that is gone is no news.
    """
    return _REASONS.get(word, "") if word in _NO_NETWORK or not bootstrapped else ""


def _arguments(line: str) -> dict[str, str]:
    found = _ARGUMENT.finditer(line[:_LINE_CHARACTERS])
    return {match[1]: _unescaped(match[2]) if match[2] is not None else match[3] for match in found}


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _reason(arguments: Mapping[str, str]) -> str:
    return _REASONS.get(arguments.get("REASON", ""), _UNKNOWN_REASON)


def _skew(text: str) -> str:
    try:
        seconds = int(text)
    except ValueError:
        return ""
    return f" by about {abs(seconds)} s ({'ahead' if seconds > 0 else 'behind'})"
