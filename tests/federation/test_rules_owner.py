"""What an owner's word about a peer changes, and whom the old header set opens to."""

from __future__ import annotations

import pytest

from enigma_fed.base.errors import PeerNotFound
from enigma_fed.base.rpc_errors import NotAllowed, Unsigned
from enigma_fed.federation import rules
from enigma_fed.wire.records import Ending, Stage, TrustLevel
from enigma_fed.wire.windows import parse_windows
from tests.support.identities import did
from tests.support.members import NOW, incoming, member, outgoing, pending
from tests.support.memberships import membership


def test_trust_the_legacy_mark_and_pauses_are_the_owners() -> None:
    before = membership(nodes=[member(1)])
    trusted = rules.set_trust(before, did(1), TrustLevel.TRUSTED).result
    assert (trusted.trust_level, trusted.legacy) == (TrustLevel.TRUSTED, False)
    marked = rules.set_trust(before, did(1), TrustLevel.OBSERVER, legacy=True).result
    assert marked.legacy
    kept = rules.set_trust(membership(nodes=[marked]), did(1), TrustLevel.TRUSTED).result
    assert kept.legacy
    assert rules.pause(before, did(1), paused=True).result.paused


def test_when_a_peer_is_expected_to_be_off_is_the_owners_word() -> None:
    before = membership(nodes=[member(1), member(2)])
    windows = parse_windows(["23:00-07:00"])
    after = rules.expect_offline(before, did(1), windows).membership
    assert [node.offline_windows for node in after.nodes.nodes] == [windows, ()]
    assert rules.expect_offline(after, did(1), ()).membership.nodes == before.nodes
    with pytest.raises(PeerNotFound):
        rules.expect_offline(before, did(3), windows)


def test_a_word_that_changes_nothing_writes_nothing() -> None:
    before = membership(nodes=[member(1)])
    assert rules.pause(before, did(1), paused=False).membership is before
    with pytest.raises(PeerNotFound):
        rules.pause(before, did(2), paused=True)


@pytest.mark.parametrize("legacy", [None, member(1), member(1, legacy=True, stage=Stage.REFUSED)])
def test_the_old_header_set_opens_nothing_without_the_owners_mark(legacy: object) -> None:
    with pytest.raises(Unsigned):
        rules.check_legacy(legacy, TrustLevel.OBSERVER)  # type: ignore[arg-type]


def test_the_old_header_set_opens_what_the_peers_level_does() -> None:
    marked = member(1, legacy=True, stage=Stage.USED)
    rules.check_legacy(marked, TrustLevel.OBSERVER)
    with pytest.raises(NotAllowed):
        rules.check_legacy(marked, TrustLevel.TRUSTED)


def test_invariant_6_a_removal_ends_joins_under_way_of_that_peer_alone() -> None:
    before = membership(nodes=[member(1)], inc=[incoming(1), incoming(2)], waiting=[pending(1), pending(3)])
    after = rules.remove(before, did(1), NOW).membership
    assert [entry.ended_by for entry in after.invites.incoming] == [Ending.REMOVAL, None]
    assert [entry.did for entry in after.invites.pending] == [did(3)]
    assert [entry.did for entry in after.nodes.removed] == [did(1)]


def test_invariant_6_the_invite_that_a_removed_peer_came_by_is_used_up() -> None:
    token = member(1).joined_with[0]
    before = membership(nodes=[member(1)], out=[outgoing(1, token_hash=token), outgoing(2)])
    used, other = rules.remove(before, did(1), NOW).membership.invites.outgoing
    assert (used.code, other.code) == (None, "fed1:2")


def test_invariant_6_a_peer_that_removed_us_ends_our_codes_of_it_alone() -> None:
    before = membership(nodes=[member(1)], inc=[incoming(1), incoming(2)])
    after = rules.poll_refused(before, before.nodes.nodes[0], "removed", NOW + 1).membership
    assert [entry.ended_by for entry in after.invites.incoming] == [Ending.REFUSAL, None]
