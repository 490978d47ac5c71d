"""How late the event loop is: a timer that notes how long after its time it runs."""

from __future__ import annotations

import asyncio
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.histogram import Histogram

_BOUNDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)


class LoopLag:
    """A sample a second costs less than 0.01 % of a core; a block between two samples is seen in part."""

    def __init__(self) -> None:
        self.durations = Histogram(_BOUNDS)

    async def watch(self) -> None:
        """Sample; never returns."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + limits.LOOP_LOOK
            await asyncio.sleep(limits.LOOP_LOOK)
            self.durations.note(loop.time() - due)
