"""When a state gets a new number, and what is signed: pure decisions of PROTOCOL section 2."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from enigma_fed.base import limits
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import DeltaAnswer, FullState, Have, signing_input
from enigma_fed.wire.statedelta import TS_MAX, StateDelta, diff

_CPU_SECONDS_MIN: Final = 0.5
"""Processor seconds between two readings: below, the reading itself is what one would see."""


class Publisher:
    """Numbers the snapshots of one epoch, signs each number exactly once, and knows the newest of them.

    `epoch` is 8 random bytes per start, `started` integer Unix seconds, `sign` the node key's Ed25519.
    """

    def __init__(self, public_key: bytes, epoch: bytes, started: int, sign: Callable[[bytes], bytes]) -> None:
        self.epoch = epoch
        self.started = started
        self._public_key = public_key
        self._sign = sign
        self._ring: deque[FullState] = deque(maxlen=limits.STATES_REMEMBERED)

    @property
    def current(self) -> FullState | None:
        """The newest state; None before the first."""
        return self._ring[-1] if self._ring else None

    def advance(self, now_unix: float, snapshot: Snapshot) -> bool:
        """Publish `snapshot` under the next number; False, with nothing signed, when it says nothing new."""
        before = self.current
        if before is not None and before.snapshot == snapshot:
            return False
        seq = 1 if before is None else before.seq + 1
        ts = self._elapsed(now_unix)
        message = signing_input(self._public_key, self.epoch, self.started, seq, ts, snapshot)
        self._ring.append(
            FullState(
                epoch=self.epoch,
                started=self.started,
                seq=seq,
                ts=ts,
                snapshot=snapshot,
                signature=self._sign(message),
            )
        )
        return True

    def base(self, have: Have | None) -> FullState | None:
        """The state that a caller has; None when it is none of ours that we still know."""
        if have is None or have.epoch != self.epoch or not self._ring:
            return None
        place = have.seq - self._ring[0].seq
        return self._ring[place] if 0 <= place < len(self._ring) else None

    def delta_from(self, base: FullState) -> DeltaAnswer:
        """The way from an older state of ours to the newest, with the newest one's own signature."""
        current = self.current
        assert current is not None
        patch = diff(base.snapshot, current.snapshot)
        return DeltaAnswer(StateDelta(base.seq, current.seq, current.ts, patch), current.signature)

    def _elapsed(self, now_unix: float) -> int:
        """Seconds since `started`; never backwards within the epoch, whatever the wall clock does."""
        earliest = 0 if self.current is None else self.current.ts
        return min(max(int(now_unix) - self.started, earliest), TS_MAX)


def sample_due(now: float, sampled_at: float | None) -> bool:
    """Whether an asked-for state needs new gauges; times are boot-clock seconds."""
    return sampled_at is None or now - sampled_at >= limits.STATE_SAMPLE_INTERVAL


def gap(now: float, published_at: float | None) -> float:
    """Seconds until the next number may be published; times are boot-clock seconds."""
    return 0.0 if published_at is None else max(0.0, published_at + limits.STATE_GAP - now)


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
