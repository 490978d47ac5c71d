"""The inviter: making and revoking invites, joins that arrive, approving late ones."""

from __future__ import annotations

from typing import Any

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    Conflict,
    FieldInvalid,
    InviteNotFound,
    PeerNotFound,
)
from enigma_fed.base.rpc_errors import Busy, Removed, Revoked, TokenUsed, UnknownToken
from enigma_fed.federation import inviting
from enigma_fed.wire.records import (
    Role,
    Stage,
    TrustLevel,
)
from tests.support.identities import did
from tests.support.members import NOW, member, outgoing, pending, tombstone
from tests.support.memberships import HASH, join, membership


def test_a_join_makes_a_member_and_uses_the_invite_up() -> None:
    known = membership(out=[outgoing(5, token_hash=HASH, scope=TrustLevel.TRUSTED)])
    decision = inviting.receive(known, join(1), NOW)
    (node,) = decision.membership.nodes.nodes
    assert (node.did, node.trust_level, node.stage, node.name) == (
        did(1),
        TrustLevel.TRUSTED,
        Stage.USED,
        "barn",
    )
    assert (node.joined_with, node.joined_as) == ((HASH,), Role.INVITER)
    (invite,) = decision.membership.invites.outgoing
    assert (invite.stage, invite.code, invite.used_by) == (Stage.USED, None, did(1))


def test_invariant_3_the_same_join_again_changes_nothing() -> None:
    once = inviting.receive(membership(out=[outgoing(5, token_hash=HASH)]), join(1), NOW)
    for later in (NOW, NOW + 10**9):
        again = inviting.receive(once.membership, join(1), later)
        assert again.membership is once.membership
        assert again.result == once.result


def test_invariant_3_another_joiner_is_refused_and_the_owner_told_once() -> None:
    once = inviting.receive(membership(out=[outgoing(5, token_hash=HASH)]), join(1), NOW).membership
    told = inviting.receive(once, join(2), NOW)
    assert isinstance(told.refusal, TokenUsed)
    assert told.membership.nodes == once.nodes
    assert told.membership.invites.outgoing[0].last_error is not None
    assert inviting.receive(told.membership, join(2), NOW + 5).membership is told.membership


def test_invariant_3_a_token_is_used_if_nodes_json_says_so_whatever_invites_json_says() -> None:
    crashed = membership(nodes=[member(1, joined_with=(HASH,))], out=[outgoing(5, token_hash=HASH)])
    assert isinstance(inviting.receive(crashed, join(2), NOW).refusal, TokenUsed)
    gone = membership(removed=[tombstone(1, joined_with=(HASH,))], out=[outgoing(5, token_hash=HASH)])
    assert isinstance(inviting.receive(gone, join(2), NOW).refusal, TokenUsed)
    with pytest.raises(Removed):
        inviting.receive(gone, join(1), NOW)


@pytest.mark.parametrize(
    ("changes", "error"),
    [({"stage": Stage.REVOKED, "code": None}, Revoked), ({"token_hash": bytes(32)}, UnknownToken)],
)
def test_joins_that_are_refused(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        inviting.receive(membership(out=[outgoing(5, **{"token_hash": HASH, **changes})]), join(1), NOW)


def test_a_used_invite_whose_hash_left_nodes_json_stays_used() -> None:
    old = outgoing(5, token_hash=HASH, stage=Stage.CONFIRMED, used_by=did(1), code=None)
    known = membership(nodes=[member(1)], out=[old])
    assert inviting.receive(known, join(1), NOW).membership is known
    assert isinstance(inviting.receive(known, join(2), NOW).refusal, TokenUsed)


@pytest.mark.parametrize("stage", [Stage.CREATED, Stage.EXPIRED])
def test_invariant_3_a_late_join_only_waits(stage: Stage) -> None:
    known = membership(out=[outgoing(5, token_hash=HASH, stage=stage)])
    late = inviting.receive(known, join(1), NOW + 86400)
    assert late.refusal is not None
    assert late.refusal.code == "awaiting-approval"
    assert late.membership.nodes.nodes == ()
    assert [entry.late for entry in late.membership.invites.pending] == [True]
    again = inviting.receive(late.membership, join(1), NOW + 86401)
    assert again.membership is late.membership


def test_invariant_7_only_so_many_joins_wait() -> None:
    waiting = [pending(number) for number in range(1, limits.PENDING_JOINS + 1)]
    known = membership(out=[outgoing(5, token_hash=HASH)], waiting=waiting)
    with pytest.raises(Busy):
        inviting.receive(known, join(50), NOW + 86400)


def test_a_join_waits_for_thirty_days() -> None:
    end = NOW + limits.AWAITING_AFTER_EXPIRY
    full = [pending(number) for number in range(1, limits.PENDING_JOINS + 1)]
    known = membership(out=[outgoing(5, token_hash=HASH)], waiting=full)
    assert inviting.sweep(known, end - 1).invites.pending == tuple(full)
    assert inviting.waiting(known, end) == inviting.sweep(known, end).invites.pending == ()
    with pytest.raises(PeerNotFound):
        inviting.approve(known, did(1), end)
    late = inviting.receive(known, join(50), end)  # those whose time is over take no place
    assert [entry.did for entry in late.membership.invites.pending] == [did(50)]


def test_approval_makes_the_member_and_the_next_try_succeeds() -> None:
    late = inviting.receive(membership(out=[outgoing(5, token_hash=HASH)]), join(1), NOW + 86400).membership
    approved = inviting.approve(late, did(1), NOW + 86500)
    assert approved.result.stage is Stage.USED
    assert approved.membership.invites.pending == ()
    retry = inviting.receive(approved.membership, join(1), NOW + 86600)
    assert retry.membership is approved.membership
    with pytest.raises(PeerNotFound):
        inviting.approve(approved.membership, did(1), NOW)


def test_approval_of_a_token_that_another_used_meanwhile_is_a_conflict() -> None:
    known = membership(
        nodes=[member(2, joined_with=(HASH,))],
        out=[outgoing(5, token_hash=HASH)],
        waiting=[pending(1, token_hash=HASH)],
    )
    with pytest.raises(Conflict):
        inviting.approve(known, did(1), NOW)


def test_invariant_6_approval_brings_no_removed_peer_back_by_an_old_invite() -> None:
    known = membership(
        removed=[tombstone(1, joined_with=())],
        out=[outgoing(5, token_hash=HASH, created_at=NOW)],
        waiting=[pending(1, token_hash=HASH)],
    )
    with pytest.raises(Conflict):
        inviting.approve(known, did(1), NOW)


def test_local_trust_never_rises_by_a_join() -> None:
    lowered = member(1, trust_level=TrustLevel.UNTRUSTED, alias="Gran")
    known = membership(nodes=[lowered], out=[outgoing(5, token_hash=HASH, scope=TrustLevel.TRUSTED)])
    (node,) = inviting.receive(known, join(1), NOW).membership.nodes.nodes
    assert (node.trust_level, node.alias, node.stage) == (TrustLevel.UNTRUSTED, "Gran", Stage.USED)
    assert node.joined_with == (*lowered.joined_with, HASH)


def test_open_invites_are_bounded_and_ended_ones_forgotten() -> None:
    known = membership(
        out=[outgoing(n % 250, token_hash=n.to_bytes(32, "big")) for n in range(limits.OPEN_INVITES)]
    )
    with pytest.raises(Conflict):
        inviting.create(known, outgoing(5, token_hash=HASH), NOW)
    later = inviting.create(known, outgoing(5, token_hash=HASH, expires_at=NOW + 10**6), NOW + 86400)
    stages = [entry.stage for entry in later.membership.invites.outgoing]
    assert stages == [Stage.EXPIRED] * limits.OPEN_INVITES + [Stage.CREATED]
    many = membership(
        out=[
            outgoing(1, token_hash=n.to_bytes(32, "big"), stage=Stage.REVOKED)
            for n in range(limits.INVITES_KEPT + 9)
        ]
    )
    kept = inviting.sweep(many, NOW).invites.outgoing
    assert [int.from_bytes(entry.token_hash, "big") for entry in kept] == list(
        range(9, limits.INVITES_KEPT + 9)
    )


def test_revoking() -> None:
    known = membership(out=[outgoing(5, token_hash=HASH)], waiting=[pending(1, token_hash=HASH)])
    revoked = inviting.revoke(known, HASH.hex()[:8], NOW)
    assert (revoked.result.stage, revoked.result.code) == (Stage.REVOKED, None)
    assert revoked.membership.invites.pending == ()
    assert inviting.revoke(revoked.membership, HASH.hex()[:8], NOW).membership is revoked.membership
    for wrong in ("00000000", ""):
        with pytest.raises(InviteNotFound):
            inviting.revoke(known, wrong, NOW)
    used = membership(out=[outgoing(5, token_hash=HASH, stage=Stage.USED)])
    with pytest.raises(Conflict):
        inviting.revoke(used, HASH.hex(), NOW)
    twins = membership(out=[outgoing(5, token_hash=HASH), outgoing(6, token_hash=HASH[:4] + bytes(28))])
    with pytest.raises(FieldInvalid):
        inviting.revoke(twins, HASH.hex()[:8], NOW)


def test_an_invite_gives_observer_or_trusted() -> None:
    with pytest.raises(FieldInvalid):
        inviting.create(membership(), outgoing(5, scope=TrustLevel.UNTRUSTED), NOW)
