"""Steps of the wall clock; no history of steps and restarts lets a request in twice (invariant 1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enigma_fed.daemon.clocksteps import ClockSteps
from tests.support.clockhistories import Event, twice_let_in


@pytest.mark.parametrize(
    ("moved", "told"), [(2.0, 0.0), (-2.0, 0.0), (2.5, 2.5), (-2.5, -2.5), (86400.0, 86400.0)]
)
def test_more_than_two_seconds_are_a_step(moved: float, told: float) -> None:
    steps = ClockSteps(1000.0, 10.0, 0)
    assert steps.look(1000.0 + moved, 10.0) == told
    assert steps.look(1000.0 + moved, 10.0) == 0.0
    assert steps.stepped_lately(10.0) == bool(told)


def test_small_changes_add_up() -> None:
    steps = ClockSteps(1000.0, 10.0, 0)
    told = [steps.look(1000.0 + 1.01 * n, 10.0 + 0.01 * n) for n in range(1, 4)]
    assert told[:2] == [0.0, 0.0]
    assert told[2] == pytest.approx(3.0, abs=0.01)


_SECONDS = st.sampled_from([1, 2, 3, 30, 59, 61, 120, 121, 122, 180, 181, 3600]) | st.integers(1, 400)
_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), _SECONDS),
        st.tuples(st.just("step"), _SECONDS.flatmap(lambda s: st.sampled_from([s, -s, s / 3, -s / 3]))),
        st.tuples(
            st.sampled_from(["request", "first", "lost"]),
            st.integers(-60, 60) | _SECONDS.flatmap(lambda s: st.sampled_from([s, -s])),
        ),
        st.tuples(st.just("replay"), st.integers(0, 5)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(_EVENTS)
def test_invariant_1_no_steps_and_restarts_let_a_request_in_twice(events: list[Event]) -> None:
    assert twice_let_in(events) is None


def test_invariant_1_a_clock_set_back_past_what_a_slow_clock_signed_lets_nothing_in_twice() -> None:
    """Its caller is always challenged: no other request said how late it was."""
    hours: list[Event] = [("advance", 1800), ("advance", 1800), ("advance", 1800), ("advance", 1800)]
    assert twice_let_in([*hours, *hours, ("request", -3600), ("step", -7200), *hours]) is None


def test_invariant_1_what_a_fast_clock_signed_comes_in_once_however_the_clock_is_set() -> None:
    hour: list[Event] = [("advance", 1800), ("advance", 1740), ("advance", 60), ("advance", 60)]
    assert twice_let_in([("first", 3600), *hour]) is None
    assert twice_let_in([("request", 0), ("step", -3600), ("request", 3600), *hour]) is None
