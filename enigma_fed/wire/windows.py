"""Windows of the day in which a peer is expected to be off, as `23:00-07:00` (PROTOCOL section 8)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Self

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import FieldInvalid

_HOUR: Final = 60
MINUTES_A_DAY: Final = 24 * _HOUR
_TIME: Final = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_PATTERN: Final = re.compile(f"{_TIME}-{_TIME}", re.ASCII)
_SHORT_HOURS: Final = re.compile(r"[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}", re.ASCII)
_SHOWN: Final = 40
"""Characters of what is no window."""


class Window(msgspec.Struct, frozen=True):
    """A part of every day: from the minute `start` on, until before the minute `end`.

    Minutes count from midnight, 0 to 1439. With `end` before `start` it passes midnight.
    """

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `HH:MM-HH:MM`; raises FieldInvalid, also when both ends are the same."""
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise FieldInvalid(_why_not(text))
        hours, minutes, end_hours, end_minutes = map(int, found.groups())
        window = cls(hours * _HOUR + minutes, end_hours * _HOUR + end_minutes)
        if window.start == window.end:
            raise FieldInvalid("a window must end at another time than it begins")
        return window

    def __str__(self) -> str:
        return "-".join(f"{at // _HOUR:02}:{at % _HOUR:02}" for at in (self.start, self.end))

    def holds(self, minute: int) -> bool:
        """Whether this minute of the day lies in it."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    @property
    def minutes(self) -> int:
        """How long it is."""
        return (self.end - self.start) % MINUTES_A_DAY

    def shifted(self, minutes: int) -> Window:
        """The same so many minutes later: from UTC to a zone that is ahead of it by these."""
        return Window((self.start + minutes) % MINUTES_A_DAY, (self.end + minutes) % MINUTES_A_DAY)


def _why_not(text: str) -> str:
    why = "a window must be like 23:00-07:00"
    if _SHORT_HOURS.fullmatch(text):
        why += ", each hour with two digits from 00 to 23"
    return f"{text[:_SHOWN]!r} is none: {why}"


def minutes_in(windows: Iterable[Window]) -> int:
    """How many minutes of a day lie in any of them."""
    several = tuple(windows)
    return sum(any(window.holds(minute) for window in several) for minute in range(MINUTES_A_DAY))


def parse_windows(texts: Iterable[str]) -> tuple[Window, ...]:
    """The windows of one peer, each once; raises FieldInvalid, also for more than limits.OFFLINE_WINDOWS."""
    windows = tuple(dict.fromkeys(map(Window.parse, texts)))
    if len(windows) > limits.OFFLINE_WINDOWS:
        raise FieldInvalid(f"a peer has at most {limits.OFFLINE_WINDOWS} windows")
    return windows
