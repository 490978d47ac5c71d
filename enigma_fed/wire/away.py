"""When a node announces to be off each day: `away` beside an answer of get-state (PROTOCOL section 8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from enigma_fed.base import limits
from enigma_fed.base.errors import FieldInvalid, WireError
from enigma_fed.wire.windows import MINUTES_A_DAY, Window, parse_windows

MEMBER = "away"
"""Name of the member."""


def to_object(windows: Iterable[Window]) -> list[list[int]]:
    """Windows in minutes of UTC as pairs `[start, end]`."""
    return [[window.start, window.end] for window in windows]


def from_object(obj: object) -> tuple[Window, ...]:
    """Read the pairs; raises WireError for anything but 1 to limits.OFFLINE_WINDOWS windows, each once.

    Who is off nearly all day (limits.AWAY_MINUTES) could never be missed: refused too.
    """
    if not isinstance(obj, list | tuple) or not 1 <= len(obj) <= limits.OFFLINE_WINDOWS:
        raise WireError(f"{MEMBER} must be a list of 1 to {limits.OFFLINE_WINDOWS} windows")
    windows = tuple(map(_window, obj))
    if len(set(windows)) != len(windows):
        raise WireError(f"{MEMBER} holds a window twice")
    if sum(window.minutes for window in windows) > limits.AWAY_MINUTES:
        raise WireError(f"{MEMBER} holds more than {limits.AWAY_MINUTES} minutes of a day")
    return windows


def beside(result: object) -> tuple[Window, ...]:
    """The windows beside a result of get-state, none without the member; raises WireError."""
    return from_object(result[MEMBER]) if isinstance(result, Mapping) and MEMBER in result else ()


def parse_setting(text: str) -> tuple[Window, ...]:
    """`23:00-07:00, 12:00-13:00` of the configuration; empty for none. Raises FieldInvalid."""
    windows = parse_windows(part.strip() for part in text.split(",")) if text.strip() else ()
    if sum(window.minutes for window in windows) > limits.AWAY_MINUTES:
        raise FieldInvalid(f"they must leave {MINUTES_A_DAY - limits.AWAY_MINUTES} minutes of a day")
    return windows


def in_utc(windows: Iterable[Window], offset: int) -> tuple[Window, ...]:
    """Local windows in UTC, from which local time differs by `offset` minutes now."""
    return tuple(window.shifted(-offset) for window in windows)


def _window(item: object) -> Window:
    if not isinstance(item, list | tuple) or len(item) != 2:
        raise WireError(f"{MEMBER}: a window must be a pair")
    for minute in item:
        if type(minute) is not int or not 0 <= minute < MINUTES_A_DAY:
            raise WireError(f"{MEMBER}: a minute must be an integer from 0 to {MINUTES_A_DAY - 1}")
    if item[0] == item[1]:
        raise WireError(f"{MEMBER}: a window must end at another minute than it begins")
    return Window(item[0], item[1])
