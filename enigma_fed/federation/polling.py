"""Polling: one task per peer, one request in flight per peer (PROTOCOL sections 4 and 8).

Interval with jitter, back-off after failures, reset when the peer is heard or the owner asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import EnigmaError, PeerUnreachable
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation import schedule
from enigma_fed.federation.alarm import Alarm
from enigma_fed.wire.records import Membership, Node

Poll = Callable[[Node], Awaitable[EnigmaError | None]]
"""Polls a peer once and stores what came of it; the error when it failed."""

_PATH_CHECK: Final = 1.0
"""Seconds between two looks at whether our own way out works."""


@dataclass(eq=False)
class _Line:
    """One peer's turn."""

    did: Did
    alarm: Alarm
    failures: int
    due: float
    last_try: float = float("-inf")
    asked: bool = False
    """The owner waits for the outcome: poll even when our own path looks dead."""
    over: bool = False
    waiters: list[asyncio.Future[EnigmaError | None]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Poller:
    """Keeps one line per peer that is polled; times are seconds on the boot clock."""

    def __init__(
        self,
        poll: Poll,
        find: Callable[[Did], Node | None],
        *,
        clock: Clock,
        chance: Callable[[], float],
        tasks: Tasks,
        path_ready: Callable[[], bool],
        interval: float,
    ) -> None:
        self._poll = poll
        self._find = find
        self._clock = clock
        self._chance = chance
        self._tasks = tasks
        self._path_ready = path_ready
        self._interval = interval
        self._lines: dict[Did, _Line] = {}
        self._in_flight = asyncio.Semaphore(limits.POLLS_IN_FLIGHT)

    def follow(self, membership: Membership, failures: Callable[[Did], int]) -> None:
        """Start and stop lines so that they fit the membership; `failures` as remembered from before."""
        wanted = {node.did for node in membership.nodes.nodes if schedule.polled(node)}
        for did in self._lines.keys() - wanted:
            self._stop(self._lines.pop(did))
        for did in wanted - self._lines.keys():
            self._start(did, failures(did), len(wanted))

    def heard(self, did: Did) -> None:
        """The peer called us: it is there, so failures are forgotten and it is tried soon."""
        line = self._lines.get(did)
        if line is not None and line.failures:
            line.failures = 0
            soon = max(self._clock.boot(), line.last_try + schedule.retry_floor(self._interval))
            if soon < line.due:
                line.due = soon
                line.alarm.ring()

    def wake(self) -> None:
        """Our own way out works again: whoever is overdue is tried now."""
        for line in self._lines.values():
            line.alarm.ring()

    async def poll_now(self, did: Did) -> EnigmaError | None:
        """Poll the peer at once, or take the poll under way; the error when it failed."""
        line = self._lines.get(did)
        if line is None:
            return PeerUnreachable("it is not polled")
        outcome: asyncio.Future[EnigmaError | None] = asyncio.get_running_loop().create_future()
        line.waiters.append(outcome)
        line.due = self._clock.boot()
        line.asked = True
        line.alarm.ring()
        return await outcome

    async def close(self) -> None:
        """Stop every line and wait for its end."""
        lines = list(self._lines.values())
        self._lines.clear()
        for line in lines:
            self._stop(line)
        await asyncio.gather(*(line.task for line in lines if line.task is not None), return_exceptions=True)

    def _start(self, did: Did, failures: int, peers: int) -> None:
        due = self._clock.boot() + schedule.first_poll(peers, self._chance())
        line = _Line(did, Alarm(self._clock), failures, due)
        self._lines[did] = line
        line.task = self._tasks.start(f"poll {did.short}", self._run(line))

    def _stop(self, line: _Line) -> None:
        line.over = True
        if line.task is not None and line.task is not asyncio.current_task():
            line.task.cancel()

    async def _run(self, line: _Line) -> None:
        try:
            while not line.over:
                await self._wait(line)
                node = self._find(line.did)
                if node is None:
                    return
                async with self._in_flight:
                    await self._turn(line, node)
        finally:
            self._tell(line, PeerUnreachable("it is not polled any more"))

    async def _wait(self, line: _Line) -> None:
        while (delay := line.due - self._clock.boot()) > 0:
            await line.alarm.wait(delay)
        while not (line.asked or self._path_ready()):
            await line.alarm.wait(_PATH_CHECK)

    async def _turn(self, line: _Line, node: Node) -> None:
        line.last_try = self._clock.boot()
        line.asked = False
        error = await self._poll(node)
        line.failures = 0 if error is None else line.failures + 1  # `heard` may have reset it meanwhile
        node = self._find(line.did) or node
        delay = schedule.next_poll(node, line.failures, self._interval, self._chance())
        line.due = self._clock.boot() + delay
        self._tell(line, error)

    @staticmethod
    def _tell(line: _Line, outcome: EnigmaError | None) -> None:
        for waiter in line.waiters:
            if not waiter.done():
                waiter.set_result(outcome)
        line.waiters.clear()
