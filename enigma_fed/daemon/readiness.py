"""Whether this node can do what it is for, and else why not and what to do (`/readyz`). Pure.

Every user of this machine can read it: no names, no paths, no addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.suspension import Suspended
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.wire.adminviews import ReadinessView, ReasonView

_WAIT: Final = "It goes on by itself; look again in a minute: enigma-fed status"
_DOCTOR: Final = "See what keeps Tor from running: enigma-fed doctor"
_ACCEPT: Final = "See what was recovered, and take it: enigma-fed doctor --accept-recovered"
_COPY: Final = "Stop the other copy of this node, remove its data folder, and restart this agent"
_CLOCK: Final = "Set this machine's clock right, best by: sudo timedatectl set-ntp true"


@dataclass(frozen=True, slots=True)
class Room:
    """The disk where the data folder is."""

    free: int
    """Bytes that may still be written."""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What readiness is decided by."""

    tor: TorStatus
    """Its words go out as they are."""
    suspended: Sequence[Suspended] = ()
    unwritable: bool = False
    """Whether the newest change could not be written."""
    room: Room | None = None
    """None when the disk does not answer."""
    clock_behind: bool = False


def examine(facts: Facts) -> ReadinessView:
    """Ready, or every reason why not, the most urgent first."""
    found = [*_store(facts), *_tor(facts.tor), *_clock(facts)]
    return ReadinessView(ready=not found, reasons=found)


def to_text(view: ReadinessView) -> str:
    """The same for a person: a line for each reason and one for what to do."""
    if view.ready:
        return "ready\n"
    lines = [f"{reason.code}: {reason.why}\n  {reason.next}\n" for reason in view.reasons]
    return "".join(["not ready\n", *lines])


def _reason(code: str, why: str, following: str) -> ReasonView:
    return ReasonView(code=code, why=why, next=following)


def _store(facts: Facts) -> Iterator[ReasonView]:
    room = facts.room
    if room is None:
        yield _reason("disk-silent", "the disk does not answer", "Look at the disk: sudo dmesg")
    elif room.read_only:
        yield _reason(
            "store-read-only", "the data folder is on a read-only file system", "Make it writable again"
        )
    elif room.free < limits.DISK_LOW:
        why = f"{room.free // 2**20} MiB are left on the disk: joins and removals need to be written down"
        yield _reason("disk-full", why, "Free some space")
    if facts.unwritable:
        yield _reason(
            "store-unwritable", "changes cannot be written, reading goes on", "See: enigma-fed status"
        )
    if Suspended.RECOVERED in facts.suspended:
        yield _reason(
            "store-recovered", "a damaged file was replaced by its copy: no joins, no installs", _ACCEPT
        )
    if Suspended.ANOTHER_COPY in facts.suspended:
        why = "another copy of this node answers at its onion address: no joins, no installs"
        yield _reason("another-copy", why, _COPY)


def _tor(tor: TorStatus) -> Iterator[ReasonView]:
    because = f": {tor.reason}" if tor.reason else ""
    if tor.phase is TorPhase.OFF:
        yield _reason(
            "tor-off", "Tor is switched off: no peer can be reached", "Set tor.mode to auto, and restart"
        )
    elif tor.phase is TorPhase.FAILED:
        yield _reason("tor-failed", f"Tor does not run{because}", _DOCTOR)
    elif tor.phase is TorPhase.PROBING:
        following = _WAIT if tor.mode is not TorMode.SOCKS else "The lines for your tor: enigma-fed doctor"
        yield _reason("onion-not-reached", f"this node does not reach its own onion yet{because}", following)
    elif tor.phase is not TorPhase.READY:
        yield _reason("tor-not-ready", f"Tor is {tor.phase.value} ({tor.percent} %){because}", _WAIT)
    elif tor.reason:
        yield _reason("tor-trouble", tor.reason, _WAIT)


def _clock(facts: Facts) -> Iterator[ReasonView]:
    if facts.clock_behind:
        yield _reason("clock-behind", "the clock is behind times that this node has written down", _CLOCK)
