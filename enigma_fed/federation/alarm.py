"""A wait that can be cut short."""

from __future__ import annotations

import asyncio

from enigma_fed.base.clock import Clock


class Alarm:
    """Waits on a clock until the time is over or somebody rings; one waiter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = False
        self._sleep: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """End the wait, or the next one when nobody waits."""
        self._rung = True
        if self._sleep is not None:
            self._sleep.cancel()

    async def wait(self, seconds: float) -> bool:
        """Return after so many seconds, or at once when it rings (True)."""
        if not self._rung:
            self._sleep = asyncio.ensure_future(self._clock.sleep(seconds))
            try:
                await asyncio.wait({self._sleep})  # not the sleep itself: who waits may be cancelled here
            finally:
                sleep, self._sleep = self._sleep, None
                sleep.cancel()
                await asyncio.wait({sleep})
        rung, self._rung = self._rung, False
        return rung
