"""The joiner: accepting a code, and what the answers to the join mean."""

from __future__ import annotations

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    AlreadyAccepted,
    AlreadyFederated,
    InviteExpired,
    InviteForOther,
    InviteSelf,
)
from enigma_fed.federation import accepting
from enigma_fed.wire.records import (
    Ending,
    Role,
    Stage,
    TrustLevel,
)
from tests.support.identities import did
from tests.support.members import NOW, incoming, member
from tests.support.memberships import HASH, accept, invite_of, membership


def test_acceptance_records_the_join_and_the_member_without_rights_yet() -> None:
    decision = accept(membership(), invite_of(1, name="attic"))
    (node,), (entry,) = decision.membership.nodes.nodes, decision.membership.invites.incoming
    assert (node.stage, node.joined_as, node.name) == (Stage.ACCEPTED_HERE, Role.JOINER, "attic")
    assert (entry.code, entry.expires_at, entry.token_hash) == ("fed1:x", NOW + 60, HASH)
    assert not node.confirmed


def test_codes_that_are_not_accepted() -> None:
    with pytest.raises(InviteSelf):
        accept(membership(), invite_of(9))
    with pytest.raises(InviteForOther):
        accept(membership(), invite_of(1, for_did=did(2)))
    assert accept(membership(), invite_of(1, for_did=did(9))).result.did == did(1)
    with pytest.raises(InviteExpired):
        accept(membership(), invite_of(1, expires_at=NOW))
    once = accept(membership(), invite_of(1)).membership
    with pytest.raises(AlreadyAccepted):
        accept(once, invite_of(1))
    confirmed = membership(nodes=[member(1)])
    with pytest.raises(AlreadyFederated):
        accept(confirmed, invite_of(1), last_heard=NOW - limits.HEARD_RECENTLY + 1)


def test_a_token_that_came_with_another_nodes_code_is_not_accepted() -> None:
    once = accept(membership(), invite_of(1)).membership
    with pytest.raises(AlreadyAccepted, match="another node's code"):
        accept(once, invite_of(2))


def test_a_member_that_was_silent_for_a_day_may_be_joined_again_with_its_trust() -> None:
    known = membership(nodes=[member(1, alias="Gran", legacy=True, paused=True)])
    again = accept(known, invite_of(1), NOW - limits.HEARD_RECENTLY, trust=TrustLevel.TRUSTED)
    (node,) = again.membership.nodes.nodes
    assert (node.stage, node.trust_level, node.alias) == (Stage.ACCEPTED_HERE, TrustLevel.OBSERVER, "Gran")
    assert (node.legacy, node.paused) == (True, True)


def test_a_confirmed_peer_that_forgot_us_may_be_joined_again_at_once() -> None:
    known = membership(nodes=[member(1, they_forgot_us=True)])
    again = accept(known, invite_of(1), NOW - 60).membership
    assert (again.nodes.nodes[0].stage, again.nodes.nodes[0].they_forgot_us) == (Stage.ACCEPTED_HERE, False)


def test_a_last_contact_in_the_future_keeps_nobody_from_joining_again() -> None:
    assert accept(membership(nodes=[member(1)]), invite_of(1), NOW + 60).result.did == did(1)


def test_the_answer_to_a_join_of_a_member_that_is_confirmed_already() -> None:
    known = membership(nodes=[member(1, joined_with=(HASH,))], inc=[incoming(1, token_hash=HASH)])
    yes = accepting.announced(known, HASH, TrustLevel.TRUSTED, NOW + 1).membership
    assert yes.nodes.nodes[0].confirmed
    assert (yes.invites.incoming[0].stage, yes.invites.incoming[0].code) == (Stage.CONFIRMED_BOTH, None)


@pytest.mark.parametrize(
    ("word", "stage", "again"),
    [
        ("awaiting-approval", Stage.AWAITING_APPROVAL, True),
        ("busy", Stage.ACCEPTED_HERE, True),
        ("unknown-token", Stage.ACCEPTED_HERE, True),
        ("token-used", Stage.REFUSED, False),
        ("wrong-joiner", Stage.REFUSED, False),
        ("revoked", Stage.REFUSED, False),
        ("removed", Stage.REFUSED, False),
    ],
)
def test_which_refusals_are_final(word: str, stage: Stage, again: bool) -> None:
    known = accept(membership(), invite_of(1)).membership
    told = accepting.join_refused(known, HASH, word, NOW + 1).membership
    assert told.invites.incoming[0].stage is told.nodes.nodes[0].stage is stage
    assert accepting.is_open(told.invites.incoming[0]) is again
    assert told.invites.incoming[0].attempts == 1
    assert told.invites.incoming[0].last_error != word, "a sentence, not the word alone"


def test_a_refused_join_leaves_a_membership_that_stands_by_another_one() -> None:
    known = membership(nodes=[member(1, joined_with=(HASH,))], inc=[incoming(1, token_hash=HASH)])
    told = accepting.join_refused(known, HASH, "revoked", NOW + 1).membership
    assert told.nodes is known.nodes
    assert told.invites.incoming[0].stage is Stage.REFUSED


def test_a_newer_code_ends_the_older_join() -> None:
    first = accept(membership(), invite_of(1)).membership
    second = accept(first, invite_of(1, token=b"\x08" * 16)).membership
    assert [accepting.is_open(entry) for entry in second.invites.incoming] == [False, True]
    assert [entry.ended_by for entry in second.invites.incoming] == [Ending.NEWER_INVITE, None]


def test_answers_to_a_join() -> None:
    known = accept(membership(), invite_of(1)).membership
    yes = accepting.announced(known, HASH, TrustLevel.TRUSTED, NOW + 1).membership
    assert yes.nodes.nodes[0].stage is yes.invites.incoming[0].stage is Stage.ANNOUNCED
    assert (yes.nodes.nodes[0].granted_trust, yes.invites.incoming[0].code) == (TrustLevel.TRUSTED, None)
    late = accepting.awaits_approval(known, HASH, NOW + 1).membership
    assert late.nodes.nodes[0].stage is Stage.AWAITING_APPROVAL
    assert accepting.is_open(late.invites.incoming[0])
    no = accepting.refused(late, HASH, "revoked", NOW + 2).membership
    assert no.nodes.nodes[0].stage is no.invites.incoming[0].stage is Stage.REFUSED
    assert no.invites.incoming[0].ended_by is Ending.REFUSAL
    over = accepting.give_up(late, HASH, NOW + 2).membership
    assert (over.invites.incoming[0].stage, over.invites.incoming[0].ended_by) == (Stage.REFUSED, Ending.TIME)
    assert "revoked" in (no.nodes.nodes[0].last_error or "")
    for answer in (
        accepting.announced(no, HASH, TrustLevel.TRUSTED, NOW),
        accepting.tried(no, HASH, "x", NOW),
        accepting.refused(no, bytes(32), "removed", NOW),
    ):
        assert answer.membership is no
