"""Keeps the history of gauges: what is heard is gathered in memory and written once per interval.

Nothing here holds polling or the status up: a file that cannot be used is told, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import EnigmaError, StoreDamaged
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.state.history import Pending, Ring, Sums, Totals, points, together, until_flush
from enigma_fed.state.historystore import NAME, HistoryStore, read_file, totals_in_file
from enigma_fed.wire.historyview import HistoryPoint
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState

_log = logging.getLogger(__name__)
_OWN_PAUSE = 60.0
"""Seconds between two samples of this node at the most."""
_BEGINS_ANEW = (
    "Start the agent (enigma-fed run): it sets the file aside and begins it anew. Nothing else depends on it."
)


@dataclass(frozen=True, slots=True)
class Series:
    """The slots of one node since a time, and what is wrong with the file, as a sentence."""

    points: list[HistoryPoint]
    since: int
    until: int
    problem: str = ""
    totals: Totals | None = None
    """By the file, without an agent."""


class HistoryService:
    """The history of the running agent; `start` opens the file, `close` writes what is left."""

    def __init__(self, store: HistoryStore, own: Did, clock: Clock, tasks: Tasks) -> None:
        """`own` is this node."""
        self.counts: Counter[str] = Counter()
        """`flushes`, `slots` written; `failed` flushes, whose samples are lost; `damaged` files set aside."""
        self._store = store
        self._own = own
        self._clock = clock
        self._tasks = tasks
        self._members: Callable[[], Iterable[Did]] = tuple
        self._interval: Callable[[], float] = lambda: limits.POLL_INTERVAL
        self._pending = Pending()
        self._own_notes = 0
        self._gone: set[Did] = set()
        self._lock = asyncio.Lock()
        self._opening: asyncio.Future[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._problem = ""

    def start(
        self,
        own_state: Callable[[], Awaitable[FullState]],
        members: Callable[[], Iterable[Did]],
        interval: Callable[[], float],
    ) -> None:
        """Begin; needs a running loop. `interval` is the seconds between two polls of a peer."""
        self._members, self._interval = members, interval
        self._running = self._tasks.start("history", self._run(own_state))

    def note(self, did: Did, snapshot: Snapshot, at: float) -> None:
        """A member, or this node, told this state at this Unix time; written by the next flush."""
        self._pending.add(did, snapshot, at)

    def note_own(self, snapshot: Snapshot) -> None:
        """A sample of this node, for whatever it was taken."""
        self._own_notes += 1
        self.note(self._own, snapshot, self._clock.wall())

    def forget(self, did: Did) -> None:
        """Delete the history of a removed member, soon."""
        self._pending.forget(did)
        self._gone.add(did)
        self._tasks.start("history removal", self._flush())

    @property
    def hooks(self) -> tuple[Callable[[Did, Snapshot, float], None], Callable[[Did], None]]:
        """`note` and `forget`, for whoever stores states and removes members."""
        return self.note, self.forget

    def warnings(self) -> list[str]:
        """Sentences for `status`."""
        return [self._problem] if self._problem else []

    async def series(self, did: Did, ring: Ring, since_s: int) -> Series:
        """The slots of a node in the last `since_s` seconds, those not written yet too."""
        now = self._clock.wall()
        periods = ring.periods(now - since_s, now)
        async with self._lock:
            written, ran = await self._read((did, self._own), ring, periods)
            node = together(written, self._pending.of(did, ring))
            ours = together(ran, self._pending.of(self._own, ring))
        found = points(ring, periods, node, ours, self._interval())
        return Series(found, int(now) - since_s, int(now), self._problem)

    async def close(self) -> None:
        """Write what is left and let go of the file."""
        if self._running is not None:
            self._running.cancel()
        if self._opening is not None:
            await asyncio.wait({self._opening})
        if self._store.is_open:
            await self._flush()
            await self._store.close()

    async def _run(self, own_state: Callable[[], Awaitable[FullState]]) -> None:
        due, pause = 0.0, 2.0 * limits.STATE_SAMPLE_INTERVAL  # the first sample tells nothing of the CPU
        while True:
            noted, state = self._own_notes, await own_state()
            if self._own_notes == noted:
                self.note_own(state.snapshot)
            if self._clock.boot() >= due:
                await self._flush()
                due = self._clock.boot() + until_flush(self._clock.wall())
            await self._clock.sleep(max(0.1, min(pause, due - self._clock.boot())))
            pause = _OWN_PAUSE

    async def _flush(self) -> None:
        async with self._lock:
            try:
                if not self._store.is_open:
                    await self._open()
                await asyncio.to_thread(self._store.examine)
                await self._write()
            except StoreDamaged as error:
                await self._set_aside(error)
            except EnigmaError as error:
                self.counts["failed"] += 1
                self._tell(f"The history of gauges is not kept: {error}")
            else:
                self._problem = self._began_anew()

    async def _open(self, *, distrust: bool = False) -> None:
        """Open the file, and let its owner be forgotten whoever was removed meanwhile."""
        self._opening = asyncio.ensure_future(asyncio.to_thread(self._store.open, distrust=distrust))
        await asyncio.shield(self._opening)
        await self._store.keep_only({*self._members(), self._own})

    async def _write(self) -> None:
        heard, gone = self._pending.take(), frozenset(self._gone)
        if heard:
            await self._store.add(heard, self._pending.take_totals())
            self.counts.update(flushes=1, slots=len(heard))
        for did in gone:
            await self._store.forget(did)
        self._gone -= gone

    async def _set_aside(self, error: StoreDamaged) -> None:
        """Begin a new file in place of one that turned out to be damaged."""
        self.counts["damaged"] += 1
        _log.warning("%s: %s; it is set aside and begun anew", NAME, error.detail)
        await self._store.close()
        try:
            await self._open(distrust=True)
        except EnigmaError as again:
            self._tell(f"The history of gauges is not kept: {again}")
        else:
            self._problem = self._began_anew()

    async def _read(self, dids: tuple[Did, ...], ring: Ring, periods: range) -> list[dict[int, Sums]]:
        if self._store.is_open:
            try:
                return [await self._store.read(did, ring, periods) for did in dids]
            except StoreDamaged as error:
                await self._set_aside(error)
            except EnigmaError as error:
                self._tell(f"The history of gauges cannot be read: {error}")
        return [{} for _ in dids]

    def _began_anew(self) -> str:
        name = self._store.set_aside
        return f"{NAME} was damaged: it is kept as {name}, and begun anew." if name else ""

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("%s", problem)
        self._problem = problem


class HistoryFile:
    """The same history while no agent runs: read, and never written."""

    def __init__(self, data_dir: Path, own: Did, now: Callable[[], float], interval: float) -> None:
        self._data_dir = data_dir
        self._own = own
        self._now = now
        self._interval = interval

    async def series(self, did: Did, ring: Ring, since_s: int) -> Series:
        """The slots of a node in the last `since_s` seconds; raises StoreDamaged."""
        now = self._now()
        periods = ring.periods(now - since_s, now)
        found, problem, totals = None, "", Totals()
        try:
            found = await asyncio.to_thread(read_file, self._data_dir, (did, self._own), ring, periods)
            totals = await asyncio.to_thread(totals_in_file, self._data_dir, did)
        except StoreDamaged as error:
            raise StoreDamaged(f"{NAME} is damaged", hint=_BEGINS_ANEW) from error
        except EnigmaError as error:
            problem = f"The history of gauges cannot be read: {error}"
        node, ours = found or ({}, {})
        shown = points(ring, periods, node, ours, self._interval)
        return Series(shown, int(now) - since_s, int(now), problem, totals)
