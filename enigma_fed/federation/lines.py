"""Lines: exchanges with a peer, one after the other, each at its time. Polls and joins are made of them.

A line that waits is an entry of one queue; only during its exchange it has a task. Times are
seconds on the boot clock.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import EnigmaError, NoWayOut, OperationFailed, PeerUnreachable, RefusedByPeer
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.alarm import Alarm
from enigma_fed.federation.doubt import Doubt

K = TypeVar("K")

_PATH_CHECK: Final = 1.0
"""Seconds between two looks at whether our own way out works, while something waits for it."""
_LOOK: Final = 60.0
"""Seconds between two looks at most: timers stand still while the machine sleeps, the boot clock does not."""
_AT_ONCE: Final = 32
"""Exchanges that begin in one turn of the event loop."""
_STALE: Final = 64
"""Entries of the queue that may be of no use any more, apart from one per line, before it is tidied."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What all lines of a node share; `chance` is random in [0, 1)."""

    clock: Clock
    chance: Callable[[], float]
    tasks: Tasks
    path_ready: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Work(Generic[K]):
    """What the lines of one kind do."""

    name: Callable[[K], str]
    """What the log calls a line."""
    over: str
    """What whoever asks is told when there is no exchange any more."""
    once: Callable[[K], Awaitable[EnigmaError | None]]
    """One exchange, with what is stored of it; the error when it failed."""
    pause: Callable[[K, int], float | None]
    """Seconds until the next one after so many failures in a row; None when there is none any more."""
    after_error: float
    """Seconds until a line begins anew that an error of this program ended."""
    spread: Callable[[int], float] = lambda held: 0.0
    """Seconds by which one of so many lines begins later that all waited for our own way out."""
    again: Callable[[int], float] = lambda tried: 0.0
    """Seconds until one of so many lines begins that were tried in vain while our own way out was lost."""
    forgiven: Callable[[K, int], None] = lambda key, before: None
    """Hears of each of these that so many failures in a row count again: those of before."""


class Line(Generic[K]):
    """One peer's turn. Whoever asks gets an outcome, however the line ends."""

    def __init__(
        self, key: K, clock: Clock, due: float, failures: int, put: Callable[[Line[K]], None]
    ) -> None:
        """`put` queues the line anew after `due` changed."""
        self.key = key
        self.failures = failures
        """Exchanges that failed in a row."""
        self.last_try = float("-inf")
        self.asked = False
        """Whether somebody waits: then it begins even if our own path looks dead."""
        self.over = False
        self.rested = True
        """Whether its newest exchange came to its end."""
        self.place = 0
        """Which entry of the queue counts; 0 for none."""
        self.task: asyncio.Task[None] | None = None
        self._clock = clock
        self._due = due
        self._put = put
        self._waiters: list[asyncio.Future[EnigmaError | None]] = []

    @property
    def due(self) -> float | None:
        """When its next exchange is due; None during one."""
        return self._due if self.task is None else None

    async def ask(self) -> EnigmaError | None:
        """The outcome of an exchange at once, even if our own path looks dead, or of the one under way."""
        if self.over:
            return PeerUnreachable("it is over")
        outcome: asyncio.Future[EnigmaError | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(outcome)
        self.asked = True
        self.move(self._clock.boot())
        return await outcome

    def hasten(self, due: float) -> None:
        """Have the next exchange at this time, unless it comes sooner anyway."""
        if due < self._due:
            self.move(due)

    def move(self, due: float) -> None:
        """Have the next exchange at this time."""
        self._due = due
        if self.task is None:
            self._put(self)

    def tell(self, outcome: EnigmaError | None) -> None:
        """Answer whoever asked."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(outcome)
        self._waiters.clear()


class Lines(Generic[K]):
    """Every line of one kind, by key."""

    def __init__(self, traffic: Traffic, work: Work[K]) -> None:
        self._traffic = traffic
        self._clock = traffic.clock
        self._work = work
        self._lines: dict[K, Line[K]] = {}
        self._failed: set[K] = set()
        self._queue: list[tuple[float, int, Line[K]]] = []
        self._held: list[tuple[int, Line[K]]] = []
        """Lines that are due, but for our own way out, each with its place."""
        self._places = itertools.count(1)
        self._doubt: Doubt[K] = Doubt()
        self._alarm = Alarm(traffic.clock)
        self._pulse: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._lines)

    def every(self) -> tuple[K, ...]:
        """The key of every line, the oldest first."""
        return tuple(self._lines)

    def missing(self, wanted: AbstractSet[K]) -> int:
        """How many of these have no line yet."""
        return len(wanted - self._lines.keys())

    def follow(self, wanted: AbstractSet[K], first: Callable[[K], tuple[float, int]]) -> None:
        """Stop the lines that are not wanted, and start those that are missing.

        `first` gives the seconds until the first exchange, and the failures of before. A line that
        ended by an error of this program begins anew later, so that the error does not fill the log.
        """
        for key in self._lines.keys() - wanted:
            self.stop(key)
        for key in wanted - self._lines.keys():
            pause, failures = first(key)
            if key in self._failed:
                pause, failures = self._work.after_error, max(failures, 1)
            self.start(key, pause, failures)
        self._failed.clear()

    def start(self, key: K, pause: float, failures: int) -> None:
        """Start the line of this key, which has none: its first exchange is so many seconds from now."""
        line = Line(key, self._clock, self._clock.boot() + pause, failures, self._put)
        self._lines[key] = line
        self._put(line)
        if self._pulse is None or self._pulse.done():
            self._pulse = self._traffic.tasks.start("lines", self._beat())

    def stop(self, key: K) -> None:
        """Stop the line of this key, which has one."""
        self._stop(self._lines.pop(key))

    def get(self, key: K) -> Line[K] | None:
        """The line of this key."""
        return self._lines.get(key)

    @property
    def lost(self) -> bool:
        """Whether our own way out is known not to work, so that failures say nothing."""
        return self._doubt.lost

    def lose(self) -> None:
        """Our own way out does not work: what failed since it was last proven says nothing."""
        self._doubt.lose()

    def proven(self) -> None:
        """Something came through our own way out: unless that is lost, the failures until now count."""
        self._doubt.proven()

    def waits_after_failure(self, key: K) -> bool:
        """Whether the newest exchange of this line failed, and none is under way."""
        line = self._lines.get(key)
        return line is not None and line.failures > 0 and line.due is not None

    def wake(self) -> None:
        """Our own way out works again: what was tried in vain meanwhile is tried anew soon."""
        now, tried = self._clock.boot(), self._doubt.settle()
        for key in tried.keys() & self._lines.keys():
            line, before = self._lines[key], tried[key]
            line.failures = min(line.failures, before)
            self._work.forgiven(key, before)
            line.hasten(now + self._work.again(len(tried)))
        self._alarm.ring()

    async def close(self) -> None:
        """Stop every line and wait for its end."""
        lines = list(self._lines.values())
        self._lines.clear()
        tasks = [line.task for line in lines if line.task is not None]
        for line in lines:
            self._stop(line)
        if self._pulse is not None:
            self._pulse.cancel()
            tasks.append(self._pulse)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _stop(self, line: Line[K]) -> None:
        """End, after the exchange under way when that is who calls."""
        line.over, line.place = True, 0
        self._doubt.drop(line.key)
        if line.task is None:
            line.tell(PeerUnreachable(self._work.over))
        elif line.task is not asyncio.current_task():
            line.task.cancel()

    def _put(self, line: Line[K]) -> None:
        due = line.due
        if due is None or line.over:
            return
        line.place = next(self._places)
        if len(self._queue) > 2 * len(self._lines) + _STALE:
            self._queue = [entry for entry in self._queue if entry[2].place == entry[1]]
            heapq.heapify(self._queue)
        heapq.heappush(self._queue, (due, line.place, line))
        if self._queue[0][2] is line:
            self._alarm.ring()

    async def _beat(self) -> None:
        while True:
            await self._alarm.wait(self._begin_due())

    def _begin_due(self) -> float:
        """Begin what is due; seconds until there is more to do."""
        now, ready = self._clock.boot(), self._traffic.path_ready()
        if ready and self._held:
            self._release(now)
        begun = 0
        while self._queue and self._queue[0][0] <= now:
            if begun == _AT_ONCE:
                return 0.0  # after a suspend all are due: the loop gets its turns in between
            _, place, line = heapq.heappop(self._queue)
            if line.place != place:
                continue
            if ready or line.asked:
                self._begin(line)
                begun += 1
            else:
                self._held.append((place, line))
        wait = min(self._queue[0][0] - now, _LOOK) if self._queue else _LOOK
        return min(wait, _PATH_CHECK) if self._held else wait

    def _release(self, now: float) -> None:
        """What waited for our own way out begins, but not all at once."""
        held, self._held = self._held, []
        for place, line in held:
            if line.place == place:
                line.move(now + self._work.spread(len(held)))

    def _begin(self, line: Line[K]) -> None:
        # By a callback, not by a `finally`: a task that is cancelled before its first step never enters it.
        line.place, line.rested = 0, False
        line.task = self._traffic.tasks.start(self._work.name(line.key), self._turn(line))
        line.task.add_done_callback(lambda task: self._ended(line, task))

    async def _turn(self, line: Line[K]) -> None:
        line.last_try = self._clock.boot()
        outcome = await self._outcome(line.key)
        self._count(line, outcome)
        pause = self._work.pause(line.key, line.failures)
        line.over = line.over or pause is None
        line.move(self._clock.boot() + (pause or 0.0))
        line.asked, line.rested = False, True
        line.tell(outcome)

    def _count(self, line: Line[K], outcome: EnigmaError | None) -> None:
        if outcome is None or isinstance(outcome, RefusedByPeer):
            self._doubt.drop(line.key)
        elif not line.over:
            self._doubt.failed(line.key, line.failures)
        if outcome is None:
            line.failures = 0
        elif not isinstance(outcome, NoWayOut):
            line.failures += 1  # a contact may have reset it meanwhile

    async def _outcome(self, key: K) -> EnigmaError | None:
        try:
            return await self._work.once(key)
        except EnigmaError as error:
            _log.warning("%s: what came of it could not be stored: %s", self._work.name(key), error)
            return error

    def _ended(self, line: Line[K], task: asyncio.Task[None]) -> None:
        line.task = None
        failed = not (line.over or line.rested or task.cancelled())
        if line.rested and not line.over:
            self._put(line)
            return
        why = OperationFailed("the task ended", hint="See: enigma-fed logs")
        line.over = True
        line.tell(why if failed else PeerUnreachable(self._work.over))
        if self._lines.get(line.key) is line:
            del self._lines[line.key]
            self._doubt.drop(line.key)
            if failed:
                self._failed.add(line.key)
