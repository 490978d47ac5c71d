from __future__ import annotations

import pytest

from enigma_fed.federation.liveness import liveness


@pytest.mark.parametrize(
    ("age", "expected"),
    [(0, "up"), (150, "up"), (150.1, "late"), (300, "late"), (300.1, "offline"), (10**6, "offline")],
)
def test_liveness(age: float, expected: str) -> None:
    assert liveness(1000.0, 1000.0 + age, 60, path_ready=True) == expected


def test_liveness_is_unknown_before_the_first_word_and_without_a_path_of_our_own() -> None:
    assert liveness(None, 1000.0, 60, path_ready=True) == "unknown"
    assert liveness(1000.0, 1000.0, 60, path_ready=False) == "unknown"
