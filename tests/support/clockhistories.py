"""A node's rules about time, played over a history of steps of the clock, restarts and replays."""

from __future__ import annotations

from collections.abc import Sequence

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import Replayed
from enigma_fed.daemon.clocksteps import ClockSteps
from enigma_fed.rpc import rules
from enigma_fed.rpc.gate import in_start_window
from enigma_fed.rpc.noncetable import NonceTable

Event = tuple[str, float]
"""`advance`, `step` (seconds), `request` (its `created` less now), `restart` or `replay`."""


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


def twice_let_in(events: Sequence[Event]) -> str | None:
    """What came in twice when every request of before is played again after each event; None for nothing."""
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
            continue
        for request in captured:
            if machine.lets_in(*request):
                return f"{request} let in again by event {number} of {list(events)}"
    return None
