"""How many exchanges with peers run at once, and whose turn it is.

A peer that did not answer last time keeps a slot for as long as a call may take, so such peers share a
few of the slots: however many of them there are, the others find the rest free.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from enigma_fed.base import limits


class Slots:
    """Places for exchanges; who waits gets one in the order of coming, silent peers up to their share."""

    def __init__(self, most: int = limits.POLLS_IN_FLIGHT, silent: int = limits.POLLS_OF_SILENT) -> None:
        self._most = most
        self._free = {False: most, True: silent}
        """Free slots in all (False) and of the share of silent peers (True)."""
        self._waiting: dict[bool, deque[tuple[int, asyncio.Future[None]]]] = {False: deque(), True: deque()}
        self._came = 0

    @property
    def held(self) -> int:
        """How many run now."""
        return self._most - self._free[False]

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return sum(not turn.done() for waiting in self._waiting.values() for _, turn in waiting)

    @asynccontextmanager
    async def taken(self, *, silent: bool) -> AsyncIterator[None]:
        """Hold a slot; `silent` for a peer that did not answer last time."""
        await self._take(silent)
        try:
            yield
        finally:
            self._give(silent)

    async def _take(self, silent: bool) -> None:
        if self._has_room(silent) and not self._waiting[silent]:
            self._count(silent, -1)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._came += 1
        self._waiting[silent].append((self._came, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give(silent)
            raise

    def _give(self, silent: bool) -> None:
        self._count(silent, 1)
        while (kind := self._next()) is not None:
            _, turn = self._waiting[kind].popleft()
            self._count(kind, -1)
            turn.set_result(None)

    def _next(self) -> bool | None:
        """Whose turn it is: of those who find room, whoever came first."""
        first: dict[bool, int] = {}
        for kind, waiting in self._waiting.items():
            while waiting and waiting[0][1].done():  # cancelled while it waited
                waiting.popleft()
            if waiting and self._has_room(kind):
                first[kind] = waiting[0][0]
        return min(first, key=first.__getitem__) if first else None

    def _has_room(self, silent: bool) -> bool:
        return self._free[False] > 0 and (not silent or self._free[True] > 0)

    def _count(self, silent: bool, change: int) -> None:
        self._free[False] += change
        if silent:
            self._free[True] += change
