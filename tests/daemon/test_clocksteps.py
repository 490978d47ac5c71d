"""Steps of the wall clock; no history of steps and restarts lets a request in twice (invariant 1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import Replayed
from enigma_fed.daemon.clocksteps import ClockSteps
from enigma_fed.rpc import rules
from enigma_fed.rpc.gate import in_start_window
from enigma_fed.rpc.noncetable import NonceTable


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


class Machine:
    """A node's gate less its signatures, on a machine whose wall clock anybody sets and whose agent dies."""

    def __init__(self) -> None:
        self.wall, self.boot = 1_000_000.0, 500.0
        self.written = 0.0
        """The newest time that reached the disk: at most 30 s behind what was let in."""
        self.pending: list[tuple[float, float]] = []
        self.start()

    def start(self) -> None:
        self.started = self.boot
        self.steps = ClockSteps(self.wall, self.boot, self.written)
        self.nonces = NonceTable()

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.boot += seconds
        for boot, wall in self.pending:
            if self.boot - boot >= limits.OBSERVATIONS_FLUSH:
                self.written = max(self.written, wall)
        self.pending = [entry for entry in self.pending if self.boot - entry[0] < limits.OBSERVATIONS_FLUSH]

    def step(self, seconds: float) -> None:
        """Set the clock. Not in the half minute between a request and a kill -9: nobody could know (1.4)."""
        self.written = max([self.written, *(wall for _, wall in self.pending)])
        self.wall += seconds

    def lets_in(self, created: int, nonce: str) -> bool:
        """Whether a request passes by its own times."""
        self.steps.look(self.wall, self.boot)
        if rules.is_stale(created, created + limits.SIGNATURE_LIFETIME, self.wall):
            return False
        if in_start_window(self.boot, self.started) or self.steps.stepped_lately(self.boot):
            return False
        if self.wall < self.steps.doubt_until:
            return False
        self.steps.let_in(self.wall)
        try:
            end = rules.nonce_end(created, self.wall, self.boot)
            self.nonces.use(b"k" * 32, nonce, until=end, now=self.boot)
        except Replayed:
            return False
        self.pending.append((self.boot, self.wall))
        return True


_SECONDS = st.sampled_from([1, 2, 3, 30, 59, 61, 120, 121, 122, 180, 181, 3600]) | st.integers(1, 400)
_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), _SECONDS),
        st.tuples(st.just("step"), _SECONDS.flatmap(lambda s: st.sampled_from([s, -s, s / 3, -s / 3]))),
        st.tuples(st.just("request"), st.integers(-60, 60)),
        st.tuples(st.just("replay"), st.integers(0, 5)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(_EVENTS)
def test_invariant_1_no_steps_and_restarts_let_a_request_in_twice(events: list[tuple[str, float]]) -> None:
    machine = Machine()
    machine.advance(limits.CHALLENGE_AFTER_START)
    captured: list[tuple[int, str]] = []
    for number, (what, value) in enumerate(events):
        if what == "advance":
            machine.advance(value)
        elif what == "step":
            machine.step(value)
        elif what == "restart":
            machine.start()
        elif what == "request":
            request = (int(machine.wall + value), f"nonce {number}")
            if machine.lets_in(*request):
                captured.append(request)
        for request in captured if what != "request" else ():
            assert not machine.lets_in(*request), f"let in again by event {number}: {events}"
