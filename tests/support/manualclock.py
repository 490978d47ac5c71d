"""A clock that tests turn by hand: no test sleeps."""

from __future__ import annotations

import asyncio
import heapq
import itertools


class ManualClock:
    """A `Clock` that stands still until `advance`; wall and boot time can be moved apart by `step_wall`."""

    def __init__(self, wall: float = 1_800_000_000.0, boot: float = 10_000.0) -> None:
        self._wall = wall
        self._boot = boot
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def wall(self) -> float:
        """Unix time in seconds."""
        return self._wall

    def boot(self) -> float:
        """Seconds since the machine's start."""
        return self._boot

    async def sleep(self, seconds: float) -> None:
        """Return once `advance` has moved the clock by so many seconds."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._boot + seconds, next(self._order), waiter))
        await waiter

    @property
    def sleepers(self) -> int:
        """How many sleeps have not ended yet."""
        return sum(not waiter.done() for _, _, waiter in self._sleepers)

    def advance(self, seconds: float) -> None:
        """Move both clocks on and wake every sleep that is due."""
        self._wall += seconds
        self._boot += seconds
        while self._sleepers and self._sleepers[0][0] <= self._boot:
            waiter = heapq.heappop(self._sleepers)[2]
            if not waiter.done():
                waiter.set_result(None)

    def suspend(self, seconds: float) -> None:
        """Both clocks move on while the machine sleeps, and timers stand still."""
        self._wall += seconds
        self._boot += seconds
        self._sleepers = [(due + seconds, order, waiter) for due, order, waiter in self._sleepers]

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock forward (or back), as a correction of the machine's time does."""
        self._wall += seconds
