"""Delivery of accepted invites: one task per join, retried until it is answered (PROTOCOL section 4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import EnigmaError, PeerUnreachable
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation import schedule
from enigma_fed.federation.accepting import delivery_ends, is_open
from enigma_fed.federation.alarm import Alarm
from enigma_fed.wire.records import IncomingInvite, Membership

Deliver = Callable[[IncomingInvite], Awaitable[EnigmaError | None]]
"""Tries one delivery and stores what came of it; the error when it was not answered with a yes."""
GiveUp = Callable[[IncomingInvite], Awaitable[None]]
"""Ends a join whose time is over."""

_PATH_CHECK: Final = 1.0


@dataclass(eq=False)
class _Line:
    """One join under way."""

    entry: IncomingInvite
    alarm: Alarm
    due: float
    asked: bool = False
    over: bool = False
    waiters: list[asyncio.Future[EnigmaError | None]] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Outbox:
    """Keeps one line per open join; times are seconds on the boot clock."""

    def __init__(
        self,
        deliver: Deliver,
        give_up: GiveUp,
        *,
        clock: Clock,
        chance: Callable[[], float],
        tasks: Tasks,
        path_ready: Callable[[], bool],
    ) -> None:
        self._deliver = deliver
        self._give_up = give_up
        self._clock = clock
        self._chance = chance
        self._tasks = tasks
        self._path_ready = path_ready
        self._lines: dict[bytes, _Line] = {}

    def follow(self, membership: Membership) -> None:
        """Start and stop deliveries so that they fit the membership."""
        wanted = {entry.token_hash: entry for entry in membership.invites.incoming if is_open(entry)}
        for token_hash in self._lines.keys() - wanted.keys():
            self._stop(self._lines.pop(token_hash))
        for token_hash, entry in wanted.items():
            if token_hash in self._lines:
                self._lines[token_hash].entry = entry
            else:
                self._start(entry)

    def wake(self) -> None:
        """Our own way out works again."""
        for line in self._lines.values():
            line.alarm.ring()

    async def deliver_now(self, did: Did) -> EnigmaError | None:
        """Try the open join to this inviter at once; None when there is none or it said yes."""
        line = next((line for line in self._lines.values() if line.entry.did == did), None)
        if line is None:
            return None
        outcome: asyncio.Future[EnigmaError | None] = asyncio.get_running_loop().create_future()
        line.waiters.append(outcome)
        line.due = self._clock.boot()
        line.asked = True
        line.alarm.ring()
        return await outcome

    async def close(self) -> None:
        """Stop every delivery and wait for its end; the next start goes on with it."""
        lines = list(self._lines.values())
        self._lines.clear()
        for line in lines:
            self._stop(line)
        await asyncio.gather(*(line.task for line in lines if line.task is not None), return_exceptions=True)

    def _start(self, entry: IncomingInvite) -> None:
        line = _Line(entry, Alarm(self._clock), self._clock.boot())
        self._lines[entry.token_hash] = line
        line.task = self._tasks.start(f"join {entry.id}", self._run(line))

    def _stop(self, line: _Line) -> None:
        line.over = True
        if line.task is not None and line.task is not asyncio.current_task():
            line.task.cancel()

    async def _run(self, line: _Line) -> None:
        try:
            while not line.over:
                await self._wait(line)
                if self._clock.wall() > delivery_ends(line.entry):
                    await self._give_up(line.entry)
                    return
                await self._turn(line)
        finally:
            self._tell(line, PeerUnreachable("the join is over"))

    async def _wait(self, line: _Line) -> None:
        while (delay := line.due - self._clock.boot()) > 0:
            await line.alarm.wait(delay)
        while not (line.asked or self._path_ready()):
            await line.alarm.wait(_PATH_CHECK)

    async def _turn(self, line: _Line) -> None:
        line.asked = False
        error = await self._deliver(line.entry)  # `follow` has put the new entry into the line by now
        line.due = self._clock.boot() + schedule.next_join(line.entry, self._chance())
        self._tell(line, error)

    @staticmethod
    def _tell(line: _Line, outcome: EnigmaError | None) -> None:
        for waiter in line.waiters:
            if not waiter.done():
                waiter.set_result(outcome)
        line.waiters.clear()
