"""Whether a peer is there (PROTOCOL section 8). Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from enigma_fed.wire.windows import Window

_UP_INTERVALS: Final = 2.5
_LATE_INTERVALS: Final = 5.0


class Liveness(enum.StrEnum):
    """What `peer list` shows."""

    UP = "up"
    LATE = "late"
    OFFLINE = "offline"
    OFFLINE_EXPECTED = "offline-expected"
    UNKNOWN = "unknown"


def liveness(heard: float | None, now: float, interval: float, *, path_ready: bool) -> Liveness:
    """`heard` and `now` are seconds on the boot clock, `heard` None before the first time since our start.

    `path_ready`: whether our own way out works; without it nothing can be said of others.
    """
    if heard is None or not path_ready:
        return Liveness.UNKNOWN
    age = now - heard
    if age <= _UP_INTERVALS * interval:
        return Liveness.UP
    return Liveness.LATE if age <= _LATE_INTERVALS * interval else Liveness.OFFLINE


def within_windows(found: Liveness, windows: Sequence[Window], minute: int) -> Liveness:
    """The same, unless the peer is silent at a minute of the day at which its owner has it off."""
    silent = found in (Liveness.LATE, Liveness.OFFLINE)
    return Liveness.OFFLINE_EXPECTED if silent and any(w.holds(minute) for w in windows) else found
