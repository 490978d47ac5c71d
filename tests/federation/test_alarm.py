"""A wait ends by its time, by a ring or by a cancellation, whichever comes first."""

from __future__ import annotations

import asyncio

import pytest

from enigma_fed.federation.alarm import Alarm
from tests.support.fakenetwork import until
from tests.support.manualclock import ManualClock


async def test_it_rings_or_its_time_is_over() -> None:
    clock = ManualClock()
    alarm = Alarm(clock)
    alarm.ring()
    assert await alarm.wait(10)
    waiting = asyncio.ensure_future(alarm.wait(10))
    await until(lambda: clock.sleepers)
    clock.advance(10)
    assert not await waiting


@pytest.mark.parametrize("steps", range(6))
async def test_a_wait_that_is_cancelled_ends_also_while_it_rings(steps: int) -> None:
    alarm = Alarm(ManualClock())
    waiting = asyncio.ensure_future(_forever(alarm))
    await asyncio.sleep(0)
    alarm.ring()
    for _ in range(steps):
        await asyncio.sleep(0)
    waiting.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait({waiting})
    assert waiting.cancelled()


async def _forever(alarm: Alarm) -> None:
    while True:
        await alarm.wait(10)
