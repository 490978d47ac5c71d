"""Values in words."""

from __future__ import annotations

import pytest

from enigma_fed.cli import humane


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (3661, "1 h 1 min"),
        (86400 * 3 + 7200, "3 d 2 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert humane.duration(seconds) == text


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (None, "never"),
        ("1970-01-01T00:01:40Z", "just now"),
        ("1970-01-01T00:00:40Z", "1 min ago"),
        ("1970-01-01T01:01:40Z", "in 1 h"),
    ],
)
def test_times_against_now(when: str | None, text: str) -> None:
    assert humane.ago(when, 100.0) == text


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
