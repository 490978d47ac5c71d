"""Whether a peer is there, and why that is said (PROTOCOL section 8). Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from enigma_fed.base.durations import duration

_UP_INTERVALS: Final = 2.5
_LATE_INTERVALS: Final = 5.0
_NEVER: Final = "never heard since this node started"


class Liveness(enum.StrEnum):
    """What `peer list` shows."""

    UP = "up"
    LATE = "late"
    OFFLINE = "offline"
    OFFLINE_EXPECTED = "offline-expected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Off:
    """A window in which a peer is expected to be off, and in which we are now."""

    until: str
    """`HH:MM` on this machine's clock."""
    announced: bool
    """Whether the peer said so itself; else our owner did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What is known of a peer's presence; times are seconds on the boot clock."""

    heard: float | None
    """When it was last heard, by polls, its own requests or a stream; None: never since our start."""
    now: float
    interval: float
    """Seconds between two polls."""
    path_ready: bool = True
    """Whether our own way out works; without it nothing can be said of others."""
    running: bool = True
    """Whether an agent runs; a command alone hears nobody."""
    paused: bool = False
    off: Off | None = None
    failures: int = 0
    """Polls that failed in a row."""
    problem: str | None = None
    """Why the newest of them failed."""
    next_poll: float | None = None
    """When it is polled next; None when it is not, or is right now."""


def judge(presence: Presence) -> Liveness:
    """The word for it."""
    if presence.heard is None or not presence.path_ready:
        return Liveness.UNKNOWN
    age = presence.now - presence.heard
    if age <= _UP_INTERVALS * presence.interval:
        return Liveness.UP
    if presence.off is not None:
        return Liveness.OFFLINE_EXPECTED
    return Liveness.LATE if age <= _LATE_INTERVALS * presence.interval else Liveness.OFFLINE


def is_old(age_s: float, interval: float) -> bool:
    """Whether a state of this age is older than one of a peer that is there, with polls `interval` apart."""
    return age_s > _LATE_INTERVALS * interval


def reason(presence: Presence) -> str:
    """Why `judge` says so, for a person: "heard 12 s ago"."""
    if not presence.running:
        return "no agent runs here"
    if not presence.path_ready:
        return "this node's own Tor is not ready"
    if judge(presence) is Liveness.OFFLINE_EXPECTED and presence.off is not None:
        whose = "off by its own word" if presence.off.announced else "expected to be off"
        return f"{whose} until {presence.off.until}"
    return "; ".join(part for part in (_paused(presence), _heard(presence), _next(presence)) if part)


def _paused(presence: Presence) -> str:
    return "paused here" if presence.paused else ""


def _heard(presence: Presence) -> str:
    if presence.failures and not presence.paused:
        polls = "1 poll" if presence.failures == 1 else f"{presence.failures} polls"
        why = f": {presence.problem.rstrip('.')}" if presence.problem else ""
        return f"{polls} failed{why}"
    return _NEVER if presence.heard is None else f"heard {duration(presence.now - presence.heard, 1)} ago"


def _next(presence: Presence) -> str:
    """Told where one waits for it: not of a peer that is up."""
    if presence.next_poll is None or (judge(presence) is Liveness.UP and not presence.failures):
        return ""
    return f"next try in {duration(max(1, presence.next_poll - presence.now), 1)}"
