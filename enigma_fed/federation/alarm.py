"""A wait that can be cut short."""

from __future__ import annotations

import asyncio

from enigma_fed.base.clock import Clock


class Alarm:
    """Waits on a clock until the time is over or somebody rings; one waiter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """End the wait, or the next one when nobody waits."""
        self._rung.set()

    async def wait(self, seconds: float) -> bool:
        """Return after so many seconds, or at once when it rings (True)."""
        bell = asyncio.ensure_future(self._rung.wait())
        sleep = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({bell, sleep}, return_when=asyncio.FIRST_COMPLETED)
            return self._rung.is_set()
        finally:
            self._rung.clear()
            bell.cancel()
            sleep.cancel()
            await asyncio.wait({bell, sleep})  # not the tasks themselves: who waits may be cancelled here
