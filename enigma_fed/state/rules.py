"""When a state gets a new number, and what is signed: pure decisions of PROTOCOL section 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from enigma_fed.base import limits
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState, Have, signing_input

CHANGE_INTERVAL: Final = 1.0
"""Seconds between two numbers when Tor or an app changes at once: a flapping tor costs no signatures."""
_TS_MAX: Final = 2**32 - 1
_CPU_SECONDS_MIN: Final = 0.5
"""Processor seconds between two readings: below, the reading itself is what one would see."""


class Publisher:
    """Numbers the snapshots of one epoch; each number is signed exactly once.

    `epoch` is 8 random bytes per start, `started` integer Unix seconds, `sign` the node key's Ed25519.
    """

    def __init__(self, public_key: bytes, epoch: bytes, started: int, sign: Callable[[bytes], bytes]) -> None:
        self.epoch = epoch
        self.started = started
        self.current: FullState | None = None
        self._public_key = public_key
        self._sign = sign

    def advance(self, now_unix: float, snapshot: Snapshot) -> bool:
        """Publish `snapshot` under the next number; False, with nothing signed, when it says nothing new."""
        before = self.current
        if before is not None and before.snapshot == snapshot:
            return False
        seq = 1 if before is None else before.seq + 1
        ts = self._elapsed(now_unix)
        message = signing_input(self._public_key, self.epoch, self.started, seq, ts, snapshot)
        self.current = FullState(
            epoch=self.epoch,
            started=self.started,
            seq=seq,
            ts=ts,
            snapshot=snapshot,
            signature=self._sign(message),
        )
        return True

    def has(self, have: Have | None) -> bool:
        """Whether the caller's state is the current one."""
        current = self.current
        return current is not None and have == Have(current.epoch, current.seq)

    def _elapsed(self, now_unix: float) -> int:
        """Seconds since `started`; never backwards within the epoch, whatever the wall clock does."""
        earliest = 0 if self.current is None else self.current.ts
        return min(max(int(now_unix) - self.started, earliest), _TS_MAX)


def sample_due(now: float, sampled_at: float | None, tor_changed: bool) -> bool:
    """Whether an asked-for state needs a new sample; times are boot-clock seconds."""
    if sampled_at is None:
        return True
    age = now - sampled_at
    return age >= limits.STATE_SAMPLE_INTERVAL or (tor_changed and age >= CHANGE_INTERVAL)


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Processor seconds since the machine started, all cores together."""

    total: float
    idle: float


def cpu_times(fields: Mapping[str, float]) -> CpuTimes:
    """From the kernel's counters by name: guest time is inside user time, waiting for the disk is idle."""
    counted = {name: seconds for name, seconds in fields.items() if name not in ("guest", "guest_nice")}
    return CpuTimes(sum(counted.values()), counted.get("idle", 0.0) + counted.get("iowait", 0.0))


def cpu_tenths(before: CpuTimes, after: CpuTimes) -> int | None:
    """Busy share between two readings in tenths of a percent; None when too little time passed to tell."""
    passed = after.total - before.total
    if passed < _CPU_SECONDS_MIN:
        return None
    busy = passed - (after.idle - before.idle)
    return min(max(round(1000 * busy / passed), 0), 1000)
