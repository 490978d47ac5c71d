from __future__ import annotations

import pytest

from enigma_fed.federation.liveness import Liveness, liveness, within_windows
from enigma_fed.wire.windows import parse_windows


@pytest.mark.parametrize(
    ("age", "expected"),
    [(0, "up"), (150, "up"), (150.1, "late"), (300, "late"), (300.1, "offline"), (10**6, "offline")],
)
def test_liveness(age: float, expected: str) -> None:
    assert liveness(1000.0, 1000.0 + age, 60, path_ready=True) == expected


def test_liveness_is_unknown_before_the_first_word_and_without_a_path_of_our_own() -> None:
    assert liveness(None, 1000.0, 60, path_ready=True) == "unknown"
    assert liveness(1000.0, 1000.0, 60, path_ready=False) == "unknown"


@pytest.mark.parametrize("found", Liveness)
def test_silence_within_a_window_is_expected_and_nothing_else_is(found: Liveness) -> None:
    windows = parse_windows(["12:00-13:00", "23:00-07:00"])
    silent = found in (Liveness.LATE, Liveness.OFFLINE)
    for minute in (0, 12 * 60, 23 * 60):
        assert within_windows(found, windows, minute) == ("offline-expected" if silent else found)
        assert within_windows(found, (), minute) == found
    for minute in (7 * 60, 13 * 60):
        assert within_windows(found, windows, minute) == found
