"""Values in words for people: durations, times, sizes, and text that cannot touch the terminal."""

from __future__ import annotations

import time
import unicodedata
from typing import Final

from enigma_fed.base.durations import duration
from enigma_fed.wire import timestamps

__all__ = [
    "ago",
    "at",
    "brief",
    "duration",
    "milliseconds",
    "printable",
    "printable_json",
    "printable_lines",
    "role",
    "short_did",
    "size",
]

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Co", "Cn", "Cs"})
_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def ago(when: str | None, now: float, units: int = 2) -> str:
    """RFC 3339 text against Unix seconds: "3 min ago", "in 1 h 59 min"; "never" for None."""
    if when is None:
        return "never"
    seconds = now - timestamps.from_text(when)
    if abs(seconds) < 1:
        return "just now"
    return f"{duration(seconds, units)} ago" if seconds > 0 else f"in {duration(-seconds, units)}"


def at(when: str | None, now: float) -> str:
    """RFC 3339 text in the time zone of this machine, with its age: "2026-11-20 10:15 (12 min ago)"."""
    if when is None:
        return "never"
    local = time.localtime(timestamps.from_text(when))
    return f"{time.strftime('%Y-%m-%d %H:%M', local)} ({ago(when, now)})"


def size(count: int | None) -> str:
    """Bytes as "3.4 GiB"; "-" for None."""
    if count is None:
        return "-"
    value, unit = float(count), _SIZES[0]
    for unit in _SIZES:
        if value < 1024 or unit == _SIZES[-1]:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def milliseconds(value: float | None) -> str:
    """A round trip as "340 ms"; "-" for None."""
    return "-" if value is None else f"{value:.0f} ms"


def short_did(did: str) -> str:
    """As much of a DID as tells peers apart: "z6MkhaXgBZDv…"; that much names a peer in a command."""
    return f"{did.removeprefix('did:key:')[:12]}…"


def role(level: str) -> str:
    """A trust level as what somebody is: "an observer", "trusted"."""
    return f"an {level}" if level == "observer" else level


def brief(text: str) -> str:
    """The first sentence."""
    first, stop, _ = text.partition(". ")
    return f"{first}." if stop else text


def printable(text: str) -> str:
    """The text with every control and invisible character as "?": a peer's words cannot steer a terminal."""
    if text.isprintable():
        return text
    visible = text.replace("\t", " ")
    return "".join("?" if unicodedata.category(c) in _INVISIBLE else c for c in visible)


def printable_lines(text: str) -> str:
    """`printable` for a text of several lines of ours."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    """JSON text in which no character inside a string can steer a terminal: those are escaped."""
    if text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _INVISIBLE else c for c in text)


def _escaped(character: str) -> str:
    """As JSON spells it: one unit of UTF-16, or two."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
