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
from enigma_fed.base.rpc_errors import (
    AwaitingApproval,
    Busy,
    Removed,
    Revoked,
    TokenUsed,
    UnknownToken,
    WrongJoiner,
)
from enigma_fed.federation import inviting, rules
from enigma_fed.federation.decision import put_pending
from enigma_fed.wire.records import (
    Role,
    Stage,
    TrustLevel,
)
from tests.support.identities import did
from tests.support.members import NOW, member, outgoing, pending, tombstone, waiting
from tests.support.memberships import HASH, join, membership, tokenless


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


def test_invariant_3_a_code_for_one_node_stays_open_for_it_when_another_tries() -> None:
    known = membership(out=[outgoing(5, token_hash=HASH, for_did=did(1))])
    for late in (NOW, NOW + 86400):
        tried = inviting.receive(known, join(2), late)
        assert isinstance(tried.refusal, WrongJoiner)
        assert (tried.membership.nodes, tried.membership.invites.pending) == (known.nodes, ())
        assert tried.membership.invites.outgoing[0].last_error is not None
        assert inviting.receive(tried.membership, join(2), late + 1).membership is tried.membership
    joined = inviting.receive(tried.membership, join(1), NOW).membership
    assert [node.did for node in joined.nodes.nodes] == [did(1)]
    assert isinstance(inviting.receive(joined, join(2), NOW).refusal, WrongJoiner)


def test_an_invite_for_this_node_itself_is_not_made() -> None:
    with pytest.raises(FieldInvalid, match="itself"):
        inviting.create(membership(), outgoing(5, for_did=did(9)), NOW)


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


def test_invariant_3_a_clock_that_was_set_back_opens_no_expired_invite() -> None:
    known = inviting.sweep(membership(out=[outgoing(5, token_hash=HASH)]), NOW + 86400)
    late = inviting.receive(known, join(1), NOW)
    assert isinstance(late.refusal, AwaitingApproval)
    assert late.membership.nodes.nodes == ()


def test_approval_of_one_peer_too_many_is_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PEERS", 1)
    known = membership(nodes=[member(2)], out=[outgoing(5)], waiting=[pending(1)])
    with pytest.raises(Conflict, match="1 peers"):
        inviting.approve(known, did(1), NOW)


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
    with pytest.raises(FieldInvalid, match="8 digits"):
        inviting.revoke(known, HASH.hex()[:7], NOW)
    used = membership(out=[outgoing(5, token_hash=HASH, stage=Stage.USED)])
    with pytest.raises(Conflict):
        inviting.revoke(used, HASH.hex(), NOW)
    twins = membership(out=[outgoing(5, token_hash=HASH), outgoing(6, token_hash=HASH[:4] + bytes(28))])
    with pytest.raises(FieldInvalid):
        inviting.revoke(twins, HASH.hex()[:8], NOW)


def test_an_invite_gives_observer_or_trusted() -> None:
    with pytest.raises(FieldInvalid):
        inviting.create(membership(), outgoing(5, scope=TrustLevel.UNTRUSTED), NOW)


def legacy(number: int, **changes: Any) -> Any:
    return outgoing(number, **{"legacy": True, **changes})


@pytest.mark.parametrize(
    "entry",
    [
        outgoing(5),
        legacy(5, expires_at=NOW),
        legacy(5, stage=Stage.REVOKED, code=None),
        legacy(5, stage=Stage.USED, code=None, used_by=did(2)),
    ],
)
def test_invariant_3_a_join_without_a_token_needs_an_open_legacy_invite(entry: Any) -> None:
    with pytest.raises(UnknownToken):
        inviting.join_without_token(membership(out=[entry]), tokenless(1), NOW)


def test_invariant_3_a_join_without_a_token_only_waits() -> None:
    known = membership(out=[legacy(5)])
    decision = inviting.join_without_token(known, tokenless(1), NOW)
    assert isinstance(decision.refusal, AwaitingApproval)
    assert decision.membership.nodes == known.nodes
    (entry,) = decision.membership.invites.pending
    assert (entry.did, entry.token_hash, entry.late, entry.name) == (did(1), None, False, None)
    assert entry.expires_at == known.invites.outgoing[0].expires_at
    again = inviting.join_without_token(decision.membership, tokenless(1), NOW + 9)
    assert again.membership is decision.membership
    assert inviting.sweep(decision.membership, entry.expires_at).invites.pending == ()


@pytest.mark.parametrize(
    "known",
    [
        membership(nodes=[member(1)], out=[legacy(5)]),
        membership(removed=[tombstone(1)], out=[legacy(5)]),
        membership(out=[legacy(5, for_did=did(2))]),
    ],
)
def test_whoever_joins_without_a_token_is_not_told_who_is_known_here(known: Any) -> None:
    decision = inviting.join_without_token(known, tokenless(1), NOW)
    assert decision.membership is known
    assert isinstance(decision.refusal, AwaitingApproval)


def test_invariant_7_only_so_many_joins_without_a_token_wait() -> None:
    full = [waiting(number) for number in range(1, limits.PENDING_JOINS + 1)]
    known = membership(out=[legacy(5), outgoing(6, token_hash=HASH, expires_at=NOW)], waiting=full)
    with pytest.raises(Busy):
        inviting.join_without_token(known, tokenless(50), NOW)
    assert len(inviting.receive(known, join(50), NOW).membership.invites.pending) == len(full) + 1


def test_approval_of_a_join_without_a_token_uses_a_legacy_invite_up() -> None:
    known = membership(out=[legacy(5), legacy(6, for_did=did(1))], waiting=[waiting(1), waiting(2)])
    approved = inviting.approve(known, did(1), NOW)
    assert (approved.result.joined_with, approved.result.stage) == ((bytes([6]) * 32,), Stage.USED)
    assert [entry.stage for entry in approved.membership.invites.outgoing] == [Stage.CREATED, Stage.USED]
    second = inviting.approve(approved.membership, did(2), NOW)
    assert second.result.joined_with == (bytes([5]) * 32,)
    assert second.membership.invites.pending == ()
    third = membership(out=second.membership.invites.outgoing, waiting=[waiting(3)])
    with pytest.raises(Conflict, match="open any more"):
        inviting.approve(third, did(3), NOW)


def test_invariant_3_a_join_without_a_token_gets_no_more_than_any_open_legacy_invite_gives() -> None:
    known = membership(out=[legacy(5), legacy(6, scope=TrustLevel.TRUSTED)])
    waits = inviting.join_without_token(known, tokenless(1), NOW).membership
    (entry,) = waits.invites.pending
    assert entry.scope is TrustLevel.OBSERVER
    trusted = membership(out=[legacy(6, scope=TrustLevel.TRUSTED)], waiting=[entry])
    assert inviting.approve(trusted, did(1), NOW).result.trust_level is TrustLevel.OBSERVER


def test_invariant_6_a_removed_peer_returns_without_a_token_only_by_a_newer_legacy_invite() -> None:
    old = membership(removed=[tombstone(1)], out=[legacy(5)], waiting=[waiting(1)])
    with pytest.raises(Conflict):
        inviting.approve(old, did(1), NOW)
    newer = membership(removed=[tombstone(1)], out=[legacy(5, created_at=NOW + 1)])
    waits = inviting.join_without_token(newer, tokenless(1), NOW).membership
    assert waits.invites.pending[0].received_at > waits.nodes.removed[0].removed_at
    assert inviting.approve(waits, did(1), NOW).membership.nodes.removed == ()


def test_revoking_the_last_legacy_invite_ends_what_waits_without_a_token() -> None:
    known = membership(out=[legacy(5), legacy(6)], waiting=[waiting(1), pending(2)])
    once = inviting.revoke(known, "05" * 4, NOW).membership
    assert len(once.invites.pending) == 2
    assert inviting.revoke(once, "06" * 4, NOW).membership.invites.pending == (pending(2),)


def test_invariant_3_turning_one_joiner_away_ends_all_that_wait_with_its_code() -> None:
    """One expired code fills every place; by one word of the owner they are free for others again."""
    known = membership(out=[outgoing(5, token_hash=HASH, stage=Stage.EXPIRED, code=None)])
    for number in range(1, limits.PENDING_JOINS + 1):
        known = inviting.receive(known, join(number), NOW).membership
    known = put_pending(known, (*known.invites.pending, waiting(40)))
    left = rules.remove(known, did(3), NOW).membership
    assert left.invites.pending == (waiting(40),)
    assert isinstance(inviting.receive(left, join(2), NOW).refusal, TokenUsed)


def test_invariant_3_a_join_that_waits_gets_no_more_by_another_code() -> None:
    """The owner approves what the list has shown, however late the joiner brings a better code."""
    ended = {"stage": Stage.EXPIRED, "code": None}
    better = outgoing(6, token_hash=HASH, scope=TrustLevel.TRUSTED, **ended)
    seen = pending(1, scope=TrustLevel.OBSERVER)
    known = inviting.receive(membership(out=[better], waiting=[seen]), join(1), NOW).membership
    assert known.invites.pending[0].token_hash == HASH
    assert inviting.approve(known, did(1), NOW).result.trust_level is TrustLevel.OBSERVER
