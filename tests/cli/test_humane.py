"""Values in words."""

from __future__ import annotations

import json
import time

import pytest

from enigma_fed.cli import humane


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (None, "never"),
        ("1970-01-01T00:01:40Z", "just now"),
        ("1970-01-01T00:00:40Z", "1 min ago"),
        ("1970-01-01T01:01:40Z", "in 1 h"),
        ("1970-01-01T02:01:00Z", "in 1 h 59 min"),
    ],
)
def test_times_against_now(when: str | None, text: str) -> None:
    assert humane.ago(when, 100.0) == text


def test_a_time_is_shown_in_the_zone_of_this_machine_with_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    try:
        assert humane.at("1970-01-01T06:00:00Z", 7 * 3600.0) == "1970-01-01 01:00 (1 h ago)"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert humane.at(None, 0.0) == "never"


def test_small_words() -> None:
    assert (humane.role("observer"), humane.role("trusted")) == ("an observer", "trusted")
    assert humane.brief("It ended. Ask again.") == "It ended."
    assert humane.brief("it ended") == "it ended"
    assert humane.short_did("did:key:z6MkhaXgBZDvotDkL") == "z6MkhaXgBZDv…"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (200 * 2**20, "200 MiB"),
        (2**60, "1024 PiB"),
    ],
)
def test_sizes(count: int | None, text: str) -> None:
    assert humane.size(count) == text


def test_text_that_would_touch_the_terminal_is_shown_as_question_marks() -> None:
    assert humane.printable("a\x1b[31mb\r\n\u202ec\u200bd\te") == "a?[31mb???c?d e"
    assert humane.printable("Größe 家 ✓") == "Größe 家 ✓"


def test_json_text_is_the_same_value_and_steers_no_terminal() -> None:
    text = '{"name":"a\x9b\u202eb\U000e0041 家"}'
    shown = humane.printable_json(text)
    assert shown.isprintable()
    assert json.loads(shown) == json.loads(text)


def test_lines_of_ours_stay_lines() -> None:
    assert humane.printable_lines("one\n\x1btwo\r") == "one\n?two?"
