"""A node's rules about time, played over a history of steps of the clock, restarts and replays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import BadChallenge, Busy, Replayed, Stale
from enigma_fed.daemon.clocksteps import ClockSteps
from enigma_fed.rpc import rules
from enigma_fed.rpc.challenge import Challenger
from enigma_fed.rpc.freshness import Freshness
from enigma_fed.rpc.gate import in_start_window
from enigma_fed.rpc.noncetable import NonceTable
from enigma_fed.wire.httpsig import SignedRequest

Event = tuple[str, float]
"""`advance`, `step` (seconds), `restart`, `replay`; a call with its caller's clock less the node's: `request`
of a caller that may know the node's clock, `first` of one that was started anew, `lost` when its answer to
the challenge is recorded and does not arrive."""

_CALLERS: Final = (b"a" * 32, b"b" * 32)
_LEFT: Final = limits.CHALLENGE_AFTER_START - limits.FRESHNESS_WINDOW
"""How far ahead a first call can be signed that passes again after a restart (PROTOCOL section 1.4)."""


class Machine:
    """A node's gate less its signatures, on a machine whose wall clock anybody sets and whose agent dies."""

    def __init__(self) -> None:
        self.wall, self.boot = 1_000_000.0, 500.0
        self.written = 0.0
        """The newest time that reached the disk: at most 30 s behind what was let in."""
        self.pending: list[tuple[float, float]] = []
        self.starts = self.steps_made = 0
        self.start()

    def start(self) -> None:
        self.starts += 1
        self.started = self.boot
        self.steps = ClockSteps(self.wall, self.boot, self.written)
        self.freshness = Freshness(
            Challenger(self.starts.to_bytes(32, "big")), self._challenge_all, NonceTable(), self.steps.let_in
        )

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
        self.steps_made += 1

    def lets_in(self, caller: bytes, signed: SignedRequest) -> bool:
        """Whether a request passes; raises Stale."""
        self.steps.look(self.wall, self.boot)
        try:
            self.freshness.check(signed, caller, self.wall, self.boot)
            self.freshness.use(signed, caller, self.wall, self.boot)
        except (BadChallenge, Replayed, Busy):
            return False
        self.pending.append((self.boot, self.wall))
        return True

    def _challenge_all(self, boot: float) -> bool:
        if in_start_window(boot, self.started) or self.steps.stepped_lately(boot):
            return True
        if self.wall < self.steps.doubt_until:
            return True
        self.steps.let_in(self.wall)
        return False


@dataclass(slots=True)
class _Call:
    """One nonce: all that was signed with it, and when it was let in."""

    caller: bytes
    ahead: float
    requests: list[SignedRequest] = field(default_factory=list)
    let_in_by: int = 0
    """The start of the node that let it in; 0 for none."""


class _Game:
    """The node, its callers, and somebody who records all that they send."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.machine.advance(limits.CHALLENGE_AFTER_START)
        self.calls: list[_Call] = []
        self.known: dict[bytes, tuple[float, int]] = {}
        """By caller: the node's wall clock less the boot clock at its newest answer; the steps until then."""

    def call(self, what: str, number: int, off: float) -> str | None:
        """One call; tells what is wrong with the time that the caller signed."""
        machine, caller = self.machine, _CALLERS[number % len(_CALLERS)]
        if what == "first":
            self.known.pop(caller, None)
        known = self.known.get(caller)
        wall = machine.wall + off
        created = rules.created_at(wall, None if known is None else machine.boot + known[0])
        call = _Call(caller, created - machine.wall, [_signed(created, number)])
        self.calls.append(call)
        wrong = call.ahead > limits.SKEW_TOLD + 1 and known is not None and known[1] == machine.steps_made
        try:
            self._note(call, call.requests[0])
        except Stale as stale:
            machine.advance((0, 10, 29)[number % 3])
            created = max(created, rules.created_at(machine.wall + off, machine.wall))
            call.requests.append(_signed(created, number, stale.challenge))
            if what != "lost":
                self._note(call, call.requests[1])
        self.known[caller] = machine.wall - machine.boot, machine.steps_made
        return f"signed {call.ahead:+.0f} s ahead though it knew" if wrong else None

    def replay(self) -> str | None:
        """Play everything again; tells what came in a second time."""
        for call in self.calls:
            for request in call.requests:
                try:
                    found = self._note(call, request)
                except Stale:
                    continue
                if found is not None:
                    return found
        return None

    def _note(self, call: _Call, request: SignedRequest) -> str | None:
        before = call.let_in_by
        if not self.machine.lets_in(call.caller, request):
            return None
        call.let_in_by = self.machine.starts
        if not before or (call.ahead >= _LEFT - 1 and before < self.machine.starts):
            return None
        return f"{request} let in again"


def _signed(created: int, number: int, challenge: str | None = None) -> SignedRequest:
    expires = created + limits.SIGNATURE_LIFETIME
    return SignedRequest("", created, expires, f"nonce {number}", "", challenge, "", b"", "", b"")


def twice_let_in(events: Sequence[Event]) -> str | None:
    """What came in twice when all that was sent is played again after each event; None for nothing.

    What PROTOCOL section 1.4 says is left does not count.
    """
    game = _Game()
    for number, (what, value) in enumerate(events):
        found = None
        if what == "advance":
            game.machine.advance(value)
        elif what == "step":
            game.machine.step(value)
        elif what == "restart":
            game.machine.start()
        elif what != "replay":
            found = game.call(what, number, value)
        if (found := found or game.replay()) is not None:
            return f"{found} by event {number} of {list(events)}"
    return None
