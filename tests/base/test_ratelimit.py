"""A token bucket gives its burst at once and its rate in the long run."""

from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.ratelimit import TokenBucket


def test_burst_then_rate() -> None:
    bucket = TokenBucket(rate=0.5, burst=2)
    assert [bucket.take(at) for at in (0, 0, 0, 1, 2, 2, 4)] == [True, True, False, False, True, False, True]


def test_what_is_too_much_takes_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=10)
    assert [bucket.take(0, 8), bucket.take(0, 8), bucket.take(0, 2), bucket.take(6, 7)] == [
        True,
        False,
        True,
        False,
    ]
    assert bucket.take(6, 6)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate=1, burst=1)
    assert bucket.take(100)
    assert not bucket.take(0)


@given(st.lists(st.floats(0, 10), max_size=60))
def test_never_more_than_burst_plus_rate(steps: list[float]) -> None:
    bucket, now, taken = TokenBucket(rate=2, burst=5), 0.0, 0
    for step in steps:
        now += step
        taken += bucket.take(now)
    assert taken <= 5 + 2 * now + 1e-6
