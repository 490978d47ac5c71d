"""Lines: exchanges with a peer, one after the other, each at its time. Polls and joins are made of them.

Times are seconds on the boot clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import EnigmaError, OperationFailed, PeerUnreachable
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.alarm import Alarm

K = TypeVar("K")

_PATH_CHECK: Final = 1.0
"""Seconds between two looks at whether our own way out works."""
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


class Line:
    """One peer's turn. Whoever asks gets an outcome, however the line ends."""

    def __init__(self, traffic: Traffic, due: float, failures: int) -> None:
        self.failures = failures
        """Exchanges that failed in a row."""
        self.last_try = float("-inf")
        self._clock = traffic.clock
        self._tasks = traffic.tasks
        self._path_ready = traffic.path_ready
        self._alarm = Alarm(traffic.clock)
        self._due = due
        self._asked = False
        self._over = False
        self._busy = False
        self._waiters: list[asyncio.Future[EnigmaError | None]] = []
        self.task: asyncio.Task[None] | None = None

    @property
    def due(self) -> float | None:
        """When its next exchange is due; None during one."""
        return None if self._busy else self._due

    def start(self, work: Work[K], key: K, ended: Callable[[bool], None]) -> None:
        """Begin; at its end `ended` is told whether an error of this program was the reason."""

        def end(task: asyncio.Task[None]) -> None:
            failed = not (self._over or task.cancelled())
            why = OperationFailed("the task ended", hint="See: enigma-fed logs")
            self._tell(why if failed else PeerUnreachable(work.over))
            ended(failed)

        # Not a `finally` of the work: a task that is cancelled before its first step never enters it.
        self.task = self._tasks.start(work.name(key), self._run(work, key))
        self.task.add_done_callback(end)

    def stop(self) -> None:
        """End, after the exchange under way when that is who calls."""
        self._over = True
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()

    async def ask(self) -> EnigmaError | None:
        """The outcome of an exchange at once, even if our own path looks dead, or of the one under way."""
        outcome: asyncio.Future[EnigmaError | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(outcome)
        self._asked = True
        self._due = self._clock.boot()
        self._alarm.ring()
        return await outcome

    def hasten(self, due: float) -> None:
        """Have the next exchange at this time, unless it comes sooner anyway."""
        if due < self._due:
            self._due = due
            self._alarm.ring()

    def wake(self) -> None:
        """Look again whether our own path works."""
        self._alarm.ring()

    async def _run(self, work: Work[K], key: K) -> None:
        while not self._over:
            await self._wait()
            await self._turn(work, key)

    async def _wait(self) -> None:
        while (delay := self._due - self._clock.boot()) > 0:
            await self._alarm.wait(delay)
        while not (self._asked or self._path_ready()):
            await self._alarm.wait(_PATH_CHECK)

    async def _turn(self, work: Work[K], key: K) -> None:
        self.last_try = self._clock.boot()
        self._busy = True
        outcome = await self._outcome(work, key)
        self._busy = False
        self.failures = 0 if outcome is None else self.failures + 1  # a contact may have reset it meanwhile
        pause = work.pause(key, self.failures)
        if pause is None:
            self._over = True
        else:
            self._due = self._clock.boot() + pause
        self._asked = False
        self._tell(outcome)

    async def _outcome(self, work: Work[K], key: K) -> EnigmaError | None:
        try:
            return await work.once(key)
        except EnigmaError as error:
            _log.warning("%s: what came of it could not be stored: %s", work.name(key), error)
            return error

    def _tell(self, outcome: EnigmaError | None) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(outcome)
        self._waiters.clear()


class Lines(Generic[K]):
    """Every line of one kind, by key."""

    def __init__(self, traffic: Traffic, work: Work[K]) -> None:
        self._traffic = traffic
        self._work = work
        self._lines: dict[K, Line] = {}
        self._failed: set[K] = set()

    def follow(self, wanted: AbstractSet[K], first: Callable[[K], tuple[float, int]]) -> None:
        """Stop the lines that are not wanted, and start those that are missing.

        `first` gives the seconds until the first exchange, and the failures of before. A line that
        ended by an error of this program begins anew later, so that the error does not fill the log.
        """
        for key in self._lines.keys() - wanted:
            self._lines.pop(key).stop()
        for key in wanted - self._lines.keys():
            pause, failures = first(key)
            if key in self._failed:
                pause, failures = self._work.after_error, max(failures, 1)
            self._start(key, pause, failures)
        self._failed.clear()

    def get(self, key: K) -> Line | None:
        """The line of this key."""
        return self._lines.get(key)

    def wake(self) -> None:
        """Our own way out works again: whatever is overdue is done now."""
        for line in self._lines.values():
            line.wake()

    async def close(self) -> None:
        """Stop every line and wait for its end."""
        lines = list(self._lines.values())
        self._lines.clear()
        for line in lines:
            line.stop()
        await asyncio.gather(*(line.task for line in lines if line.task is not None), return_exceptions=True)

    def _start(self, key: K, pause: float, failures: int) -> None:
        line = Line(self._traffic, self._traffic.clock.boot() + pause, failures)

        def ended(failed: bool) -> None:
            if self._lines.get(key) is line:
                del self._lines[key]
                if failed:
                    self._failed.add(key)

        self._lines[key] = line
        line.start(self._work, key, ended)
