"""Windows of the day: what is one, and which minutes it holds."""

from __future__ import annotations

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import FieldInvalid
from enigma_fed.wire.windows import Window, minutes_in, parse_windows


@pytest.mark.parametrize("text", ["23:00-07:00", "00:00-23:59", "09:05-09:06"])
def test_a_window_reads_as_it_is_written(text: str) -> None:
    assert str(Window.parse(text)) == text


def test_minutes_count_from_midnight() -> None:
    assert Window.parse("23:00-07:30") == Window(23 * 60, 7 * 60 + 30)


@pytest.mark.parametrize(
    "text",
    ["", "23-7", "7:00-8:00", "24:00-07:00", "23:60-07:00", "23:00-07:00 ", "23:00-07:00\n", "٢٣:00-07:00"],
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(FieldInvalid, match="like 23:00-07:00"):
        Window.parse(text)


def test_a_window_without_length_is_refused() -> None:
    with pytest.raises(FieldInvalid, match="another time"):
        Window.parse("07:00-07:00")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("12:00-13:00", (720, 779), (0, 719, 780, 1439)),
        ("23:00-07:00", (1380, 1439, 0, 419), (420, 1379)),
        ("23:00-00:00", (1380, 1439), (0, 1379)),
        ("00:00-00:01", (0,), (1, 1439)),
    ],
)
def test_a_window_holds_its_first_minute_and_not_its_last(
    text: str, inside: tuple[int, ...], outside: tuple[int, ...]
) -> None:
    window = Window.parse(text)
    assert all(map(window.holds, inside))
    assert not any(map(window.holds, outside))


def test_a_peer_has_few_windows_each_once() -> None:
    texts = [f"0{hour}:00-0{hour}:30" for hour in range(limits.OFFLINE_WINDOWS + 1)]
    assert parse_windows([*texts[:-1], texts[0]]) == tuple(map(Window.parse, texts[:-1]))
    with pytest.raises(FieldInvalid, match=f"at most {limits.OFFLINE_WINDOWS}"):
        parse_windows(texts)


def test_a_window_is_moved_over_midnight_and_keeps_its_length() -> None:
    window = Window(23 * 60, 7 * 60)
    assert window.shifted(60) == Window(0, 8 * 60)
    assert window.shifted(-90) == Window(21 * 60 + 30, 5 * 60 + 30)
    assert {window.minutes, window.shifted(60).minutes} == {8 * 60}


def test_what_is_wrong_with_a_window_is_told() -> None:
    with pytest.raises(FieldInvalid, match=r"'23:00-7:00' is none: .*each hour with two digits"):
        Window.parse("23:00-7:00")
    with pytest.raises(FieldInvalid, match=r"'night' is none: a window must be like 23:00-07:00$"):
        Window.parse("night")
    with pytest.raises(FieldInvalid) as caught:
        Window.parse("x" * 10_000)
    assert len(caught.value.detail) < 100


def test_minutes_in_several_windows_count_once() -> None:
    assert minutes_in(parse_windows(["00:00-12:00", "06:00-18:00"])) == 18 * 60
    assert minutes_in(()) == 0
