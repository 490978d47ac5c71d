"""The history of gauges: which slot a sample falls into, and what is kept of it. Pure; docs/FILES.md.

A ring has a fixed number of slots of one length; a slot is used again when its ring is over. It keeps sums
and counts, so that samples can be added in any order, and whatever was written before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import add
from typing import Final, NamedTuple

from enigma_fed.base import limits
from enigma_fed.base.ids import Did
from enigma_fed.wire.historyview import HistoryPoint
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.timestamps import UNIX_MAX, to_text

RUNNING: Final = "running"
"""The status of an app that counts as one that runs."""
_KIB_IN_MIB: Final = 1024
_MIB: Final = 1024 * 1024
_MIB_MAX: Final = 2**33
"""More than any size that a state can tell."""
_CPU_MAX: Final = 1_000_000
_SUM_MAX: Final = 2**60
_MISSED: Final = 2.5
"""Poll intervals without a word after which a node was not heard (PROTOCOL section 8)."""


@dataclass(frozen=True, slots=True)
class Ring:
    """`slots` slots of `width` seconds each; its first one has the number `first` on disk."""

    width: int
    slots: int
    first: int

    def period(self, at: float) -> int:
        """Which slot since the epoch a Unix time falls into; times before it count as its beginning."""
        return max(0, int(at)) // self.width

    def slot(self, period: int) -> int:
        """The number on disk of the slot that keeps this period."""
        return self.first + period % self.slots

    def periods(self, since: float, until: float) -> range:
        """The periods from one time to another, no more than the ring has slots, the newest ones."""
        last = self.period(until)
        return range(max(self.period(since), last - self.slots + 1), last + 1)


SHORT: Final = Ring(limits.HISTORY_INTERVAL, limits.HISTORY_SHORT_SLOTS, 0)
LONG: Final = Ring(3600, limits.HISTORY_LONG_SLOTS, limits.HISTORY_SHORT_SLOTS)
RINGS: Final = (SHORT, LONG)


class Sums(NamedTuple):
    """What one slot keeps of the samples that fell into it."""

    heard: int = 0
    """How many there were."""
    cpu_count: int = 0
    """How many told this gauge."""
    cpu: int = 0
    """Tenths of a percent, all together."""
    mem_count: int = 0
    mem: int = 0
    """MiB."""
    disk_count: int = 0
    disk: int = 0
    """MiB."""
    apps: int = 0
    """Running ones."""

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(*map(add, self, other))

    @property
    def makes_sense(self) -> bool:
        """Whether a slot can hold this: what was read from a disk need not."""
        counts = (self.cpu_count, self.mem_count, self.disk_count)
        return (
            self.heard > 0
            and all(count <= self.heard for count in counts)
            and self.cpu <= self.cpu_count * _CPU_MAX
            and max(self.mem - self.mem_count * _MIB_MAX, self.disk - self.disk_count * _MIB_MAX) <= 0
            and self.apps <= self.heard * limits.APPS_PER_STATE
        )


def sample(snapshot: Snapshot) -> Sums:
    """What is kept of one state."""
    mem, disk = _mib(snapshot.mem_used_kib), _mib(snapshot.disk_used_kib)
    return Sums(
        heard=1,
        cpu_count=int(snapshot.cpu_tenths is not None),
        cpu=snapshot.cpu_tenths or 0,
        mem_count=int(mem is not None),
        mem=mem or 0,
        disk_count=int(disk is not None),
        disk=disk or 0,
        apps=sum(app.status == RUNNING for app in snapshot.apps),
    )


def _mib(kib: int | None) -> int | None:
    return None if kib is None else min((kib + _KIB_IN_MIB // 2) // _KIB_IN_MIB, _MIB_MAX)


class Totals(NamedTuple):
    """What a node has, in MiB; 0 when it did not tell."""

    mem: int = 0
    disk: int = 0


class Key(NamedTuple):
    """One slot of one node at one time."""

    did: Did
    ring: Ring
    period: int


class Pending:
    """What was heard since the last flush; at most `room` slots."""

    def __init__(self, room: int = 2 * len(RINGS) * (limits.PEERS + 1)) -> None:
        self._sums: dict[Key, Sums] = {}
        self._totals: dict[Did, Totals] = {}
        self._room = room

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, did: Did, snapshot: Snapshot, at: float) -> None:
        """A state that was heard at this Unix time."""
        new = sample(snapshot)
        for ring in RINGS:
            key = Key(did, ring, ring.period(min(at, UNIX_MAX)))
            known = self._sums.get(key)
            if known is not None:
                self._sums[key] = known.plus(new)
            elif len(self._sums) < self._room:
                self._sums[key] = new
        if did in self._totals or len(self._totals) < self._room:
            self._totals[did] = Totals(_mib(snapshot.mem_total_kib) or 0, _mib(snapshot.disk_total_kib) or 0)

    def take_totals(self) -> Mapping[Did, Totals]:
        """What each node last told of its sizes since the last flush; none is pending then."""
        taken, self._totals = self._totals, {}
        return taken

    def take(self) -> Mapping[Key, Sums]:
        """All of it, to be written; nothing is pending then."""
        taken, self._sums = self._sums, {}
        return taken

    def forget(self, did: Did) -> None:
        """Drop what was heard of this node."""
        self._sums = {key: sums for key, sums in self._sums.items() if key.did != did}
        self._totals.pop(did, None)

    def of(self, did: Did, ring: Ring) -> Mapping[int, Sums]:
        """What is pending of this node in this ring, by period."""
        return {key.period: sums for key, sums in self._sums.items() if key.did == did and key.ring == ring}


def together(*parts: Mapping[int, Sums]) -> dict[int, Sums]:
    """The sums by period of what was written and of what is pending."""
    found: dict[int, Sums] = {}
    for part in parts:
        for period, sums in part.items():
            found[period] = found[period].plus(sums) if period in found else sums
    return found


def points(
    ring: Ring, periods: range, node: Mapping[int, Sums], ours: Iterable[int], interval: float
) -> list[HistoryPoint]:
    """The slots of these periods, from the first in which the node was heard.

    `ours` are the periods in which this node's own agent ran. A node that is asked every `interval` seconds
    counts as heard until 2.5 intervals after, as for its liveness: not every slot need hold a sample. They go
    on up to the last period, whatever is known of it: the end of the time asked for is their end.
    """
    ran, heard = set(ours), [period for period in periods if period in node]
    if not heard:
        return []
    patience = int(_MISSED * interval // ring.width)
    return [
        _point(ring, period, node.get(period), _was_heard(period, node, ran, patience))
        for period in periods[heard[0] - periods.start :]
    ]


def _was_heard(period: int, node: Mapping[int, Sums], ran: set[int], patience: int) -> bool | None:
    if any(each in node for each in range(period - patience, period + 1)):
        return True
    return False if period in ran else None


def _point(ring: Ring, period: int, sums: Sums | None, heard: bool | None) -> HistoryPoint:
    at = to_text(period * ring.width)
    if sums is None:
        return HistoryPoint(at=at, heard=heard)
    mem, disk = _mean(sums.mem, sums.mem_count), _mean(sums.disk, sums.disk_count)
    cpu = _mean(sums.cpu, sums.cpu_count)
    return HistoryPoint(
        at=at,
        heard=heard,
        cpu_usage_percent=None if cpu is None else round(cpu / 10, 1),
        mem_used_bytes=None if mem is None else round(mem) * _MIB,
        disk_used_bytes=None if disk is None else round(disk) * _MIB,
        apps_running=round(sums.apps / sums.heard, 1),
        samples=sums.heard,
    )


def _mean(total: int, count: int) -> float | None:
    return total / count if count else None


def read_sums(row: Sequence[object]) -> Sums | None:
    """The sums of a row of numbers; None when no slot can hold that (a garbled disk)."""
    numbers = [number for number in row if type(number) is int and 0 <= number <= _SUM_MAX]
    if len(numbers) != len(row):
        return None
    sums = Sums(*numbers)
    return sums if sums.makes_sense else None


def until_flush(now: float) -> float:
    """Seconds until the middle of the next short slot: each gets a sample, even when sleeps last longer."""
    return (SHORT.period(now) + 1.5) * SHORT.width - now
