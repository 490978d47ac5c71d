"""Where time comes from: the wall clock, the boot clock, and sleeping.

Rules take times as arguments; services take a `Clock`, so that tests turn it by hand.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


def minute_of_day(unix: float) -> int:
    """The minute from 0 to 1439 that clocks on the wall of this machine's time zone show."""
    local = time.localtime(unix)
    return local.tm_hour * 60 + local.tm_min


def utc_offset(unix: float) -> int:
    """Minutes by which clocks on the wall here are ahead of UTC at that time; summer time counts."""
    return round(time.localtime(unix).tm_gmtoff / 60)


class Clock(Protocol):
    """Time for services."""

    def wall(self) -> float:
        """Unix time in seconds; may step."""
        ...

    def boot(self) -> float:
        """Seconds on CLOCK_BOOTTIME: never steps, runs on through suspend."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> float:
        """Unix time in seconds; may step."""
        return time.time()

    def boot(self) -> float:
        """Seconds on CLOCK_BOOTTIME."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        await asyncio.sleep(seconds)
