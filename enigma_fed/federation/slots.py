"""How many exchanges with peers run at once, and whose turn it is.

A peer that did not answer last time keeps a slot for as long as a call may take, so such peers share a
few of the slots: however many of them there are, the others find the rest free.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from enigma_fed.base import limits


@dataclass(slots=True, eq=False)
class _Turn:
    key: Hashable
    number: int
    """In the order of coming."""
    silent: bool
    wished: bool
    given: asyncio.Future[None]


class Slots:
    """Places for exchanges; who waits gets one in the order of coming, silent peers up to their share.

    Whom the owner waits for is next, and counts as no silent peer.
    """

    def __init__(self, most: int = limits.POLLS_IN_FLIGHT, silent: int = limits.POLLS_OF_SILENT) -> None:
        self._most = most
        self._free = {False: most, True: silent}
        """Free slots in all (False) and of the share of silent peers (True)."""
        self._waiting: dict[bool, deque[_Turn]] = {False: deque(), True: deque()}
        self._wishes: Counter[Hashable] = Counter()
        self._came = 0

    @property
    def held(self) -> int:
        """How many run now."""
        return self._most - self._free[False]

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return sum(not turn.given.done() for waiting in self._waiting.values() for turn in waiting)

    @asynccontextmanager
    async def taken(self, key: Hashable, *, silent: bool) -> AsyncIterator[None]:
        """Hold a slot; `key` names the peer, `silent` is for one that did not answer last time."""
        held = await self._take(key, silent)
        try:
            yield
        finally:
            self._give(held)

    @contextmanager
    def wished(self, key: Hashable) -> Iterator[None]:
        """The owner waits for this peer: it is next, whether it waits for a slot or comes meanwhile."""
        self._wishes[key] += 1
        for turn in [turn for waiting in self._waiting.values() for turn in waiting if turn.key == key]:
            self._waiting[turn.silent].remove(turn)
            turn.silent, turn.wished = False, True
            self._queue(turn)
        self._hand_out()
        try:
            yield
        finally:
            self._wishes[key] -= 1
            self._wishes += Counter()  # forgets those of none

    async def _take(self, key: Hashable, silent: bool) -> bool:
        """Whether the slot is of the share of silent peers."""
        wished = key in self._wishes
        silent = silent and not wished
        if self._has_room(silent) and not self._waiting[silent]:
            self._count(silent, -1)
            return silent
        self._came += 1
        turn = _Turn(key, self._came, silent, wished, asyncio.get_running_loop().create_future())
        self._queue(turn)
        try:
            await turn.given
        except asyncio.CancelledError:
            if turn.given.done() and not turn.given.cancelled():
                self._give(turn.silent)
            raise
        return turn.silent

    def _queue(self, turn: _Turn) -> None:
        waiting = self._waiting[turn.silent]
        place = sum(before.wished for before in waiting) if turn.wished else len(waiting)
        waiting.insert(place, turn)

    def _give(self, silent: bool) -> None:
        self._count(silent, 1)
        self._hand_out()

    def _hand_out(self) -> None:
        while (kind := self._next()) is not None:
            turn = self._waiting[kind].popleft()
            self._count(kind, -1)
            turn.given.set_result(None)

    def _next(self) -> bool | None:
        """Whose turn it is: of those who find room, the owner's wish, then whoever came first."""
        first: dict[bool, tuple[bool, int]] = {}
        for kind, waiting in self._waiting.items():
            while waiting and waiting[0].given.done():  # cancelled while it waited
                waiting.popleft()
            if waiting and self._has_room(kind):
                first[kind] = (not waiting[0].wished, waiting[0].number)
        return min(first, key=first.__getitem__) if first else None

    def _has_room(self, silent: bool) -> bool:
        return self._free[False] > 0 and (not silent or self._free[True] > 0)

    def _count(self, silent: bool, change: int) -> None:
        self._free[False] += change
        if silent:
            self._free[True] += change
