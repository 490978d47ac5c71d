"""Durations are counted by the first bound that they are within."""

from __future__ import annotations

from enigma_fed.base.histogram import Histogram


def test_each_duration_has_one_place() -> None:
    found = Histogram((0.1, 1.0))
    for seconds in (0.0, 0.1, 0.11, 1.0, 1.01, 99.0):
        found.note(seconds)
    assert found.counts == (2, 2, 2)
    assert found.total == sum((0.1, 0.11, 1.0, 1.01, 99.0))


def test_a_clock_that_ran_backwards_counts_as_nothing() -> None:
    found = Histogram((1.0,))
    found.note(-0.1)
    assert (found.counts, found.total) == ((0, 0), 0.0)
