"""Back-off doubles up to its maximum and spreads by its jitter."""

from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.backoff import Backoff, spread


def test_doubles_until_the_maximum() -> None:
    backoff = Backoff(first=15, maximum=100, jitter=0.0)
    assert [backoff.delay(n, 0.5) for n in range(1, 6)] == [15, 30, 60, 100, 100]


@given(st.integers(-5, 10**9), st.floats(0, 1, exclude_max=True))
def test_stays_within_jitter_of_the_maximum(failures: int, chance: float) -> None:
    delay = Backoff(first=2, maximum=900, jitter=0.2).delay(failures, chance)
    assert 2 * 0.8 <= delay <= 900 * 1.2


def test_spread_is_symmetric() -> None:
    assert [spread(10, 0.1, chance) for chance in (0.0, 0.5, 1.0)] == [9, 10, 11]
