"""What the clocks of peers show, by their signed answers: what `created` a request to them may have."""

from __future__ import annotations

from enigma_fed.base.ids import Did
from enigma_fed.rpc import rules


class PeerClocks:
    """By peer: its Unix time less our boot clock, in seconds, at its newest signed answer."""

    def __init__(self) -> None:
        self._ahead: dict[Did, float] = {}

    def note(self, did: Did, created: int, sent_boot: float, latency_s: float) -> None:
        """A signed answer was `created` at the peer, between `sent_boot` and `latency_s` later."""
        self._ahead[did] = created - sent_boot - latency_s / 2

    def created_at(self, did: Did, wall: float, boot: float) -> int:
        """The `created` of a request to this peer, sent at these times of our clocks."""
        ahead = self._ahead.get(did)
        return rules.created_at(wall, None if ahead is None else boot + ahead)
