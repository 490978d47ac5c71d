"""However many peers are silent, the others find a slot; nobody is forgotten, and no slot is lost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from enigma_fed.base import limits
from enigma_fed.federation.slots import Slots


class Callers:
    """Exchanges that hold their slot until they are told to end."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.running: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self, *names: str) -> None:
        """One whose name begins with a dash is silent."""
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._hold(name))
        await settled()

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
        await settled()

    async def cancel(self, *names: str) -> None:
        for name in names:
            self._tasks[name].cancel()
        await settled()

    async def _hold(self, name: str) -> None:
        async with self.slots.taken(name, silent=name.startswith("-")):
            self.running.append(name)
            try:
                await self._ends[name].wait()
            finally:
                self.running.remove(name)

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_invariant_7_silent_peers_hold_their_share_at_most() -> None:
    """limits.POLLS_OF_SILENT: 64 dead peers do not stop the others."""
    callers = Callers(Slots())
    await callers.begin(*(f"-{number}" for number in range(limits.POLLS_IN_FLIGHT)))
    assert len(callers.running) == limits.POLLS_OF_SILENT
    others = limits.POLLS_IN_FLIGHT - limits.POLLS_OF_SILENT
    await callers.begin(*(f"{number}" for number in range(others + 1)))
    assert len(callers.running) == limits.POLLS_IN_FLIGHT
    assert len([name for name in callers.running if not name.startswith("-")]) == others
    await callers.close()


async def test_who_came_first_goes_first_among_those_who_find_room() -> None:
    callers = Callers(Slots(most=2, silent=1))
    await callers.begin("-a", "b", "-c", "d", "-e", "f")
    assert callers.running == ["-a", "b"]
    assert (callers.slots.held, callers.slots.waiting) == (2, 4)
    await callers.end("b")
    assert callers.running == ["-a", "d"], "c waits for the share of the silent"
    await callers.end("-a")
    assert callers.running == ["d", "-c"], "which nobody takes that came later"
    await callers.end("d")
    assert callers.running == ["-c", "f"]
    await callers.end("-c")
    assert callers.running == ["f", "-e"]
    await callers.close()


@pytest.mark.parametrize("name", ["b", "-b"])
async def test_who_is_cancelled_while_waiting_holds_nobody_up(name: str) -> None:
    callers = Callers(Slots(most=1, silent=1))
    await callers.begin("a", name, "c")
    await callers.cancel(name)
    assert (callers.slots.held, callers.slots.waiting) == (1, 1)
    await callers.end("a")
    assert callers.running == ["c"]
    await callers.end("c")
    async with AsyncExitStack() as held:
        await held.enter_async_context(callers.slots.taken("x", silent=True))
    await callers.close()


async def test_a_slot_given_to_who_is_cancelled_in_the_same_moment_is_not_lost() -> None:
    callers = Callers(Slots(most=1, silent=1))
    await callers.begin("a", "b", "c")
    callers._ends["a"].set()
    await asyncio.sleep(0)
    await callers.cancel("b")
    assert callers.running == ["c"]
    await callers.close()


async def test_whom_the_owner_waits_for_is_next_wherever_it_stood() -> None:
    callers = Callers(Slots(most=3, silent=1))
    await callers.begin("-a", "b", "-c", "-d", "-e", "f", "g", "h")
    assert callers.running == ["-a", "b", "f"]
    with callers.slots.wished("-e"), callers.slots.wished("h"):
        await callers.end("b")
        assert callers.running == ["-a", "f", "-e"], "beyond the share of the silent"
        await callers.end("f")
        assert callers.running == ["-a", "-e", "h"]
        await callers.end("-a", "-e", "h")
    assert callers.running == ["-c", "g"]
    await callers.end("-c", "g")
    assert callers.running == ["-d"]
    await callers.close()
    assert (callers.slots.held, callers.slots.waiting) == (0, 0)


async def test_whom_the_owner_waits_for_does_not_wait_for_the_share_of_the_silent() -> None:
    callers = Callers(Slots(most=3, silent=1))
    await callers.begin("-a", "-b")
    with callers.slots.wished("-b"):
        await settled()
        assert callers.running == ["-a", "-b"]
    await callers.begin("-c", "d")
    assert callers.running == ["-a", "-b", "d"]
    await callers.end("-b")
    assert callers.running == ["-a", "d"], "the slot given back is no silent one"
    await callers.close()


async def test_whom_the_owner_waits_for_is_next_when_it_comes_later() -> None:
    callers = Callers(Slots(most=1, silent=1))
    await callers.begin("a", "b", "-c")
    with callers.slots.wished("-d"):
        await callers.begin("-d")
        await callers.end("a")
        assert callers.running == ["-d"]
    await callers.begin("-d2")
    await callers.end("-d")
    assert callers.running == ["b"]
    await callers.close()


async def test_a_wish_that_ended_leaves_nothing() -> None:
    slots = Slots()
    with slots.wished("a"), slots.wished("a"):
        pass
    assert not slots._wishes
