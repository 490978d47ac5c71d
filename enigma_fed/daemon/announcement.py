"""When this node announces to be off, each day: the owner's setting in UTC (PROTOCOL section 8)."""

from __future__ import annotations

from enigma_fed.base.clock import Clock, utc_offset
from enigma_fed.wire import away
from enigma_fed.wire.windows import Window


class Announcement:
    """`node.offline_windows`, in UTC as of now: summer time moves it."""

    def __init__(self, setting: str, clock: Clock) -> None:
        self._windows = away.parse_setting(setting)
        self._clock = clock

    def change(self, setting: str) -> bool:
        """Announce other windows from now on; whether they are others."""
        before, self._windows = self._windows, away.parse_setting(setting)
        return before != self._windows

    @property
    def texts(self) -> tuple[str, ...]:
        """The windows in this machine's time, as the owner writes them."""
        return tuple(map(str, self._windows))

    def in_utc(self) -> tuple[Window, ...]:
        """What peers are told."""
        return away.in_utc(self._windows, utc_offset(self._clock.wall()))
