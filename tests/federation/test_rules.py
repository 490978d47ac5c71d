"""Members: what confirms them, what they may do, removal, their states."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    Conflict,
    PeerNotFound,
)
from enigma_fed.base.rpc_errors import NotAllowed, Removed, UnknownPeer, Unsigned
from enigma_fed.federation import accepting, rules
from enigma_fed.federation.decision import with_invites, with_nodes
from enigma_fed.federation.repair import repair
from enigma_fed.wire.records import (
    Ending,
    Node,
    Observation,
    Role,
    Stage,
    TrustLevel,
)
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState, state_signing_input
from tests.support.identities import did, key
from tests.support.members import NOW, incoming, member, outgoing, pending, tombstone
from tests.support.memberships import HASH, accept, invite_of, membership


@pytest.mark.parametrize("join", [False, True])
def test_what_confirms_a_join(join: bool) -> None:
    assert rules.is_confirmed_by(member(1, stage=Stage.USED), join=join) is not join
    assert rules.is_confirmed_by(member(1, stage=Stage.ANNOUNCED), join=join)
    assert rules.is_confirmed_by(member(1, stage=Stage.AWAITING_APPROVAL), join=join)
    assert rules.is_confirmed_by(member(1, they_forgot_us=True), join=join) is not join
    assert not rules.is_confirmed_by(member(1, stage=Stage.REFUSED), join=join)
    assert not rules.is_confirmed_by(member(1), join=join)


def test_confirmation_reaches_the_node_and_its_invites() -> None:
    used = outgoing(1, stage=Stage.USED, used_by=did(1), code=None)
    known = membership(nodes=[member(1, stage=Stage.USED)], out=[used], inc=[incoming(1)])
    sure = rules.confirm(known, did(1), NOW + 5).membership
    assert sure.nodes.nodes[0].stage is sure.invites.outgoing[0].stage is Stage.CONFIRMED
    assert accepting.is_open(sure.invites.incoming[0]), "its token is still to be used up"
    assert rules.confirm(sure, did(1), NOW + 6).membership is sure
    assert rules.confirm(sure, did(2), NOW + 6).membership is sure
    named = rules.confirm(sure, did(1), NOW + 6, name="attic").membership
    assert named.nodes.nodes[0].name == "attic"


def test_an_announced_join_is_confirmed_with_its_node() -> None:
    known = membership(
        nodes=[member(1, stage=Stage.ANNOUNCED, joined_as=Role.JOINER)],
        inc=[incoming(1, stage=Stage.ANNOUNCED, code=None)],
    )
    sure = rules.confirm(known, did(1), NOW + 5).membership
    assert sure.nodes.nodes[0].stage is sure.invites.incoming[0].stage is Stage.CONFIRMED_BOTH


UNCONFIRMED = [
    Stage.USED,
    Stage.ACCEPTED_HERE,
    Stage.ANNOUNCED,
    Stage.AWAITING_APPROVAL,
    Stage.REFUSED,
]


@pytest.mark.parametrize("stage", UNCONFIRMED)
def test_invariant_3_before_its_confirmation_a_member_has_no_rights(stage: Stage) -> None:
    with pytest.raises(NotAllowed, match="not confirmed"):
        rules.check_rights(member(1, stage=stage, trust_level=TrustLevel.TRUSTED), TrustLevel.OBSERVER)


@pytest.mark.parametrize("stage", UNCONFIRMED)
def test_the_request_that_confirms_is_itself_served(stage: Stage) -> None:
    known = membership(nodes=[member(1, stage=stage)])
    decision = rules.admit(known, did(1), TrustLevel.OBSERVER, NOW, join=False)
    if stage is Stage.REFUSED:
        assert isinstance(decision.refusal, NotAllowed)
        assert decision.membership is known
    else:
        assert decision.refusal is None
        assert decision.membership.nodes.nodes[0].confirmed


def test_who_is_let_in() -> None:
    known = membership(nodes=[member(1)], removed=[tombstone(2)])
    assert rules.admit(known, did(1), TrustLevel.OBSERVER, NOW, join=False).refusal is None
    assert isinstance(rules.admit(known, did(1), TrustLevel.TRUSTED, NOW, join=False).refusal, NotAllowed)
    assert isinstance(rules.admit(known, did(2), None, NOW, join=False).refusal, Removed)
    assert isinstance(rules.admit(known, did(3), None, NOW, join=False).refusal, UnknownPeer)
    for number in (1, 2, 3):
        decision = rules.admit(known, did(number), None, NOW, join=True)
        assert (decision.membership, decision.refusal) == (known, None)
    low = membership(nodes=[member(1, stage=Stage.ANNOUNCED, trust_level=TrustLevel.UNTRUSTED)])
    told = rules.admit(low, did(1), TrustLevel.OBSERVER, NOW, join=False)
    assert isinstance(told.refusal, NotAllowed)
    assert told.membership.nodes.nodes[0].confirmed, "it is confirmed all the same"


def test_a_peer_that_removed_us_ends_what_we_still_had_to_deliver() -> None:
    known = membership(nodes=[member(1), member(2)], inc=[incoming(1), incoming(2)])
    gone = rules.poll_refused(known, known.nodes.nodes[0], "removed", NOW + 1).membership
    entry, other = gone.invites.incoming
    assert (accepting.is_open(entry), accepting.is_open(other)) == (False, True)
    assert (entry.ended_by, entry.last_error) == (Ending.REFUSAL, rules.REMOVED_US)
    assert repair(gone) is gone


def test_what_a_refused_poll_means() -> None:
    asked = member(1, stage=Stage.ANNOUNCED, joined_as=Role.JOINER)
    known = membership(nodes=[asked])

    def after(word: str) -> Node:
        return rules.poll_refused(known, asked, word, NOW + 1).membership.nodes.nodes[0]

    assert (after("unknown-peer").they_forgot_us, after("unknown-peer").last_error) == (True, rules.FORGOTTEN)
    assert (after("removed").stage, after("removed").last_error) == (Stage.REFUSED, rules.REMOVED_US)
    assert after("not-allowed").stage is Stage.CONFIRMED_BOTH, "only a member is told so"
    assert after("internal") is asked
    refused = membership(nodes=[member(1, stage=Stage.REFUSED)])
    for word in ("unknown-peer", "removed"):
        again = rules.poll_refused(refused, refused.nodes.nodes[0], word, NOW)
        assert again.membership is refused
    assert rules.poll_refused(membership(), asked, "removed", NOW).membership == membership()


@pytest.mark.parametrize("word", ["unknown-peer", "removed", "not-allowed"])
def test_invariant_11_an_answer_of_before_a_newer_join_says_nothing_about_that(word: str) -> None:
    asked = member(1, they_forgot_us=True)
    joined = accept(membership(nodes=[asked]), invite_of(1)).membership
    assert rules.poll_refused(joined, asked, word, NOW).membership is joined
    assert rules.poll_answered(joined, asked, NOW, name="attic").membership is joined
    (now,) = joined.nodes.nodes
    assert rules.poll_answered(joined, now, NOW, name="attic").membership.nodes.nodes[0].confirmed


@pytest.mark.parametrize(
    ("level", "needed", "allowed"),
    [
        (TrustLevel.UNTRUSTED, None, False),
        (TrustLevel.UNTRUSTED, TrustLevel.OBSERVER, False),
        (TrustLevel.OBSERVER, None, True),
        (TrustLevel.OBSERVER, TrustLevel.OBSERVER, True),
        (TrustLevel.OBSERVER, TrustLevel.TRUSTED, False),
        (TrustLevel.TRUSTED, TrustLevel.TRUSTED, True),
    ],
)
def test_rights(level: TrustLevel, needed: TrustLevel | None, allowed: bool) -> None:
    if allowed:
        rules.check_rights(member(1, trust_level=level), needed)
    else:
        with pytest.raises(NotAllowed):
            rules.check_rights(member(1, trust_level=level), needed)


def test_invariant_6_a_tombstone_holds_every_token_and_ends_what_is_under_way() -> None:
    known = membership(
        nodes=[member(1), member(2)],
        out=[outgoing(5, created_at=NOW + 50)],
        inc=[incoming(1, token_hash=HASH)],
        waiting=[pending(1, token_hash=bytes(32))],
    )
    gone = rules.remove(known, did(1), NOW).membership
    assert [node.did for node in gone.nodes.nodes] == [did(2)]
    (grave,) = gone.nodes.removed
    assert set(grave.joined_with) == {member(1).joined_with[0], HASH, bytes(32)}
    assert grave.removed_at == NOW + 50
    assert not accepting.is_open(gone.invites.incoming[0])
    assert gone.invites.incoming[0].ended_by is Ending.REMOVAL
    assert gone.invites.pending == ()
    assert repair(gone) is gone


def test_invariant_6_a_removal_uses_up_what_the_peer_came_by_and_leaves_the_others_alone() -> None:
    mine, other = bytes([1]) * 32, bytes([2]) * 32
    known = membership(
        nodes=[member(1), member(2)],
        out=[outgoing(1, token_hash=mine), outgoing(2, token_hash=other)],
        inc=[incoming(1, stage=Stage.ANNOUNCED, code=None), incoming(2)],
    )
    gone = rules.remove(known, did(1), NOW).membership
    assert [(entry.stage, entry.used_by) for entry in gone.invites.outgoing] == [
        (Stage.USED, did(1)),
        (Stage.CREATED, None),
    ]
    assert [entry.ended_by for entry in gone.invites.incoming] == [Ending.REMOVAL, None]


def test_invariant_6_a_removal_is_later_than_every_code_of_the_peer_that_was_accepted() -> None:
    ahead = incoming(1, created_at=NOW + 50)
    gone = rules.remove(membership(nodes=[member(1)], inc=[ahead]), did(1), NOW).membership
    assert gone.nodes.removed[0].removed_at == NOW + 50
    again = accept(gone, invite_of(1, token=b"\x08" * 16)).membership
    assert again.invites.incoming[-1].created_at == NOW + 51


def test_tombstones_are_bounded_oldest_first() -> None:
    graves = [tombstone(1, joined_with=())] * limits.TOMBSTONES
    gone = rules.remove(membership(nodes=[member(2)], removed=graves), did(2), NOW).membership
    assert len(gone.nodes.removed) == limits.TOMBSTONES
    assert gone.nodes.removed[-1].did == did(2)


def test_what_the_owner_sets() -> None:
    known = membership(nodes=[member(1)])
    assert rules.set_trust(known, did(1), TrustLevel.TRUSTED).result.trust_level is TrustLevel.TRUSTED
    assert rules.set_trust(known, did(1), TrustLevel.OBSERVER).membership is known
    assert rules.set_trust(known, did(1), TrustLevel.OBSERVER, legacy=True).result.legacy
    assert rules.pause(known, did(1), True).result.paused
    assert rules.pause(known, did(1), False).membership is known


def test_the_old_header_set_is_for_whom_the_owner_marked() -> None:
    rules.check_legacy(member(1, legacy=True), TrustLevel.OBSERVER)
    for nobody in (None, member(1), member(1, legacy=True, stage=Stage.REFUSED)):
        with pytest.raises(Unsigned):
            rules.check_legacy(nobody, TrustLevel.OBSERVER)
    with pytest.raises(NotAllowed):
        rules.check_legacy(member(1, legacy=True), TrustLevel.TRUSTED)


def test_names_of_ours_are_unique() -> None:
    known = membership(nodes=[member(1, name="attic"), member(2, alias="Gran")])
    for taken, who in (("attic", 2), ("Gran", 1)):
        with pytest.raises(Conflict):
            rules.rename(known, did(who), taken)
    assert rules.rename(known, did(1), "attic").result.alias == "attic"
    assert rules.rename(known, did(2), None).result.alias is None
    with pytest.raises(PeerNotFound):
        rules.rename(known, did(3), "x")


def state(seq: int = 5, epoch: int = 1, number: int = 1, **changes: Any) -> FullState:
    values: dict[str, Any] = {
        "started": NOW,
        "ts": seq,
        "snapshot": Snapshot(node_name="attic"),
        "signature": b"",
    }
    made = FullState(epoch=bytes([epoch]) * 8, seq=seq, **{**values, **changes})
    return msgspec.structs.replace(
        made, signature=key(number).sign(state_signing_input(did(1).public_key, made))
    )


def test_folding_what_polling_learned() -> None:
    known = membership(nodes=[member(1), member(2)])
    seen = {did(1): Observation(did=did(1), last_seen=NOW + 9, state=state())}
    folded = rules.fold(known, seen)
    assert (folded.nodes.nodes[0].last_seen, folded.nodes.nodes[0].last_state) == (NOW + 9, state().snapshot)
    assert folded.nodes.nodes[1] is known.nodes.nodes[1]
    assert rules.fold(folded, seen) is folded


def test_what_is_not_valid_is_dropped_from_both_files_and_nothing_else_is() -> None:
    clean = membership(nodes=[member(1)])
    assert rules.drop_invalid(clean) is clean
    in_nodes = with_nodes(clean, msgspec.structs.replace(clean.nodes, invalid=("{}",)))
    in_both = with_invites(in_nodes, msgspec.structs.replace(clean.invites, invalid=("{}", "[]")))
    assert rules.drop_invalid(in_nodes) == rules.drop_invalid(in_both) == clean
