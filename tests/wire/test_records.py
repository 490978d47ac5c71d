"""The little that records of membership know about themselves."""

from __future__ import annotations

from enigma_fed.wire.records import NodesFile, Stage, TrustLevel
from tests.support.identities import did
from tests.support.members import member, tombstone


def test_trust_has_an_order() -> None:
    assert sorted(TrustLevel, key=lambda level: level.rank) == ["untrusted", "observer", "trusted"]


def test_a_peer_is_called_what_the_owner_calls_it_then_what_it_calls_itself() -> None:
    assert member(1, alias="cellar", name="attic").display_name == "cellar"
    assert member(1, name="attic").display_name == "attic"
    assert member(1).display_name == did(1).short


def test_both_sides_agreed_in_two_stages_only() -> None:
    agreed = {stage for stage in Stage if member(1, stage=stage).confirmed}
    assert agreed == {Stage.CONFIRMED, Stage.CONFIRMED_BOTH}


def test_members_and_tombstones_are_found_by_their_did() -> None:
    file = NodesFile(nodes=(member(1), member(2)), removed=(tombstone(3),))
    assert file.find(did(2)) == member(2)
    assert file.tombstone(did(3)) == tombstone(3)
    assert file.find(did(3)) is file.tombstone(did(1)) is None
