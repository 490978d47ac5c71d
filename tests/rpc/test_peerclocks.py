"""What a peer's signed answers say of its clock."""

from __future__ import annotations

from enigma_fed.rpc.peerclocks import PeerClocks
from tests.support.identities import did

NOW, BOOT = 1_800_000_000.0, 10_000.0


def test_nothing_is_signed_for_a_time_to_come_at_a_peer_that_told_its_time() -> None:
    """PROTOCOL section 1.4: ours is an hour ahead of the first peer's."""
    clocks = PeerClocks()
    clocks.note(did(1), int(NOW) - 3600, BOOT, latency_s=2.0)
    assert clocks.created_at(did(1), NOW + 60, BOOT + 60) == int(NOW) - 3600 + 60 - 1
    assert clocks.created_at(did(2), NOW + 60, BOOT + 60) == int(NOW) + 60, "nothing is known of the other"


def test_the_newest_answer_counts_and_a_peer_that_is_ahead_changes_nothing() -> None:
    clocks = PeerClocks()
    clocks.note(did(1), int(NOW) - 3600, BOOT, latency_s=0.0)
    clocks.note(did(1), int(NOW) + 3600, BOOT, latency_s=0.0)
    assert clocks.created_at(did(1), NOW, BOOT) == int(NOW)
