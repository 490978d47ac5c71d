"""What a clock on the wall shows."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from enigma_fed.base.clock import minute_of_day, utc_offset

MIDNIGHT = 1_767_225_600
"""2026-01-01T00:00:00Z."""


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("name", "minute"),
    [("UTC0", 0), ("EST5", 19 * 60), ("IST-5:30", 330), ("CET-1CEST,M3.5.0,M10.5.0/3", 60)],
)
def test_the_minute_is_of_this_machines_time_zone(zone: pytest.MonkeyPatch, name: str, minute: int) -> None:
    zone.setenv("TZ", name)
    time.tzset()
    assert minute_of_day(MIDNIGHT) == minute
    assert minute_of_day(MIDNIGHT + 59.9) == minute
    assert minute_of_day(MIDNIGHT + 60) == minute + 1


def test_the_minute_follows_the_wall_when_summer_time_begins(zone: pytest.MonkeyPatch) -> None:
    zone.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    begins = 1_774_746_000  # 2026-03-29T01:00:00Z
    assert (minute_of_day(begins - 1), minute_of_day(begins)) == (119, 180)


@pytest.mark.parametrize(
    ("name", "minutes"), [("UTC0", 0), ("EST5", -300), ("IST-5:30", 330), ("NPT-5:45", 345)]
)
def test_the_offset_is_of_this_machines_time_zone(zone: pytest.MonkeyPatch, name: str, minutes: int) -> None:
    zone.setenv("TZ", name)
    time.tzset()
    assert utc_offset(MIDNIGHT) == minutes


def test_the_offset_follows_summer_time(zone: pytest.MonkeyPatch) -> None:
    zone.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    begins = 1_774_746_000  # 2026-03-29T01:00:00Z
    assert (utc_offset(begins - 1), utc_offset(begins)) == (60, 120)
