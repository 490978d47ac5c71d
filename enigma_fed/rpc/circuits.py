"""What one circuit to our onion may ask for (invariant 7). Pure.

A circuit costs whoever makes it a rendezvous and, under load, a proof of work: it is the best name
that tor has for a caller before its signature holds. Without tor's word on it (a system tor, the
loopback port) everybody is one caller here, and the limits per key and per listener are what there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.ratelimit import TokenBucket

_MINUTE: Final = 60.0


def _requests() -> TokenBucket:
    return TokenBucket(limits.REQUESTS_PER_CIRCUIT, limits.REQUESTS_PER_CIRCUIT_BURST)


def _tries() -> TokenBucket:
    return TokenBucket(limits.FAILED_TRIES_PER_CIRCUIT / _MINUTE, limits.FAILED_TRIES_PER_CIRCUIT)


@dataclass(slots=True, eq=False)
class Circuit:
    """One circuit's account; times are seconds on the boot clock."""

    requests: TokenBucket = field(default_factory=_requests)
    tries: TokenBucket = field(default_factory=_tries)
    spent: bool = False
    """Whether the last failed try was one too many."""

    def may_ask(self, now: float) -> bool:
        """Whether another request is read at all."""
        if self.spent and not self.tries.take(now):
            return False
        self.spent = False
        return self.requests.take(now)

    def failed(self, now: float) -> None:
        """A request came that no member's signature held for."""
        self.spent = not self.tries.take(now)


class Circuits:
    """The accounts of the circuits seen last, at most limits.CIRCUITS; the longest unused is forgotten."""

    def __init__(self) -> None:
        self._known: dict[int, Circuit] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, number: int) -> Circuit:
        """The circuit's account, opened if there is none; call it for each request."""
        circuit = self._known.pop(number, None) or Circuit()
        self._known[number] = circuit
        if len(self._known) > limits.CIRCUITS:
            del self._known[next(iter(self._known))]
        return circuit
