"""The windows that a node announces: pairs of minutes in UTC, few, short and well-formed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import FieldInvalid, WireError
from enigma_fed.wire import away
from enigma_fed.wire.windows import Window, parse_windows

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "away.json").read_text(encoding="utf-8"))


def test_windows_travel_as_pairs() -> None:
    windows = parse_windows(["23:00-07:00", "12:00-13:00"])
    assert away.to_object(windows) == [[1380, 420], [720, 780]]
    assert away.from_object([[1380, 420], (720, 780)]) == windows


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["name"])
def test_invariant_7_the_vectors(row: dict[str, Any]) -> None:
    if row.get("refused"):
        with pytest.raises(WireError):
            away.from_object(row["away"])
    else:
        windows = away.from_object(row["away"])
        assert [str(window) for window in windows] == row["windows"]
        assert away.to_object(windows) == row["away"]


def test_a_whole_number_that_is_written_as_a_fraction_is_none() -> None:
    with pytest.raises(WireError, match="integer"):
        away.from_object([[1, 2.0]])


def test_what_stands_beside_a_result() -> None:
    assert away.beside({"unchanged": True, "away": [[1, 2]]}) == (Window(1, 2),)
    for result in ({"unchanged": True}, None, []):
        assert away.beside(result) == ()
    with pytest.raises(WireError):
        away.beside({"unchanged": True, "away": None})


def test_who_is_off_nearly_all_day_is_refused() -> None:
    """limits.AWAY_MINUTES."""
    whole = [[0, limits.AWAY_MINUTES]]
    assert away.from_object(whole) == (Window(0, limits.AWAY_MINUTES),)
    for more in ([[0, limits.AWAY_MINUTES + 1]], [*whole, [1300, 1301]]):
        with pytest.raises(WireError, match="minutes of a day"):
            away.from_object(more)


def test_local_windows_are_told_in_utc() -> None:
    assert away.in_utc([Window(23 * 60, 7 * 60)], 120) == (Window(21 * 60, 5 * 60),)
    assert away.in_utc([Window(23 * 60, 7 * 60)], -330) == (Window(4 * 60 + 30, 12 * 60 + 30),)


@pytest.mark.parametrize("text", ["", " "])
def test_an_empty_setting_announces_nothing(text: str) -> None:
    assert away.parse_setting(text) == ()


def test_a_setting_is_a_list_of_windows() -> None:
    assert away.parse_setting("23:00-07:00, 12:00-13:00") == parse_windows(["23:00-07:00", "12:00-13:00"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("at night", "like 23:00-07:00"),
        ("23:00-07:00,", "like 23:00-07:00"),
        (",".join(f"0{number}:00-0{number}:30" for number in range(5)), "at most 4"),
        ("00:00-20:01", "leave 240 minutes"),
    ],
)
def test_a_setting_that_others_would_refuse_is_an_error(text: str, why: str) -> None:
    with pytest.raises(FieldInvalid, match=why):
        away.parse_setting(text)


minutes = st.integers(0, 1439)


@given(minutes, minutes, st.integers(-720, 840))
def test_a_window_in_utc_holds_the_same_moments(start: int, end: int, offset: int) -> None:
    local = Window(start, end)
    (utc,) = away.in_utc([local], offset)
    assert utc.minutes == local.minutes
    assert utc.shifted(offset) == local
    for minute in (start, (end - 1) % 1440, end, (start + 700) % 1440):
        assert local.holds(minute) == utc.holds((minute - offset) % 1440)
