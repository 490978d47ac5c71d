"""A crash between the two files: every decision comes out as if nothing or all had happened."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import (
    Conflict,
    PeerNotFound,
)
from enigma_fed.base.rpc_errors import Removed, Revoked, TokenUsed
from enigma_fed.federation import accepting, inviting, rules
from enigma_fed.federation.decision import Decision
from enigma_fed.federation.repair import repair
from enigma_fed.wire.records import (
    Membership,
    Stage,
    TrustLevel,
)
from tests.support.identities import did
from tests.support.members import NOW, member, outgoing, pending, tombstone, waiting
from tests.support.memberships import HASH, accept, invite_of, join, membership


def _half(before: Membership, decision: Decision[Any]) -> Membership:
    after = decision.membership
    if decision.order.value == "nodes-first":
        return Membership(after.nodes, before.invites)
    return Membership(before.nodes, after.invites)


def _accepted() -> Membership:
    return accept(membership(), invite_of(1)).membership


def _used() -> Membership:
    return inviting.receive(membership(out=[outgoing(5, token_hash=HASH)]), join(1), NOW).membership


CUTS: dict[str, tuple[Membership, Any]] = {
    "join": (
        membership(out=[outgoing(5, token_hash=HASH)]),
        lambda m: inviting.receive(m, join(1), NOW),
    ),
    "approve": (
        membership(
            out=[outgoing(5, token_hash=HASH, stage=Stage.EXPIRED, code=None)],
            waiting=[pending(1, token_hash=HASH)],
        ),
        lambda m: inviting.approve(m, did(1), NOW),
    ),
    "accept": (membership(), lambda m: accept(m, invite_of(1))),
    "accept after a removal": (
        membership(removed=[tombstone(1)]),
        lambda m: accept(m, invite_of(1)),
    ),
    "accept the same code after a removal": (
        membership(removed=[tombstone(1, removed_at=NOW + 9, joined_with=(HASH,))]),
        lambda m: accept(m, invite_of(1)),
    ),
    "accept again": (membership(nodes=[member(1, stage=Stage.REFUSED)]), lambda m: accept(m, invite_of(1))),
    "announced": (_accepted(), lambda m: accepting.announced(m, HASH, TrustLevel.OBSERVER, NOW + 1)),
    "awaits approval": (_accepted(), lambda m: accepting.awaits_approval(m, HASH, NOW + 1)),
    "refused": (_accepted(), lambda m: accepting.refused(m, HASH, "revoked", NOW + 1)),
    "given up": (_accepted(), lambda m: accepting.give_up(m, HASH, NOW + 1)),
    "confirmed by the joiner": (_used(), lambda m: rules.confirm(m, did(1), NOW + 1)),
    "confirmed by the inviter": (_accepted(), lambda m: rules.confirm(m, did(1), NOW + 1)),
    "confirmed after the announcement": (
        accepting.announced(_accepted(), HASH, TrustLevel.OBSERVER, NOW + 1).membership,
        lambda m: rules.confirm(m, did(1), NOW + 2),
    ),
    "removed as a joiner": (_used(), lambda m: rules.remove(m, did(1), NOW + 1)),
    "removed as an inviter": (_accepted(), lambda m: rules.remove(m, did(1), NOW + 1)),
    "approve without a token": (
        membership(out=[outgoing(5, token_hash=HASH, legacy=True)], waiting=[waiting(1)]),
        lambda m: inviting.approve(m, did(1), NOW),
    ),
    "removed while waiting without a token": (
        membership(out=[outgoing(5, token_hash=HASH, legacy=True)], waiting=[waiting(1)]),
        lambda m: rules.remove(m, did(1), NOW + 1),
    ),
    "removed while waiting": (
        membership(out=[outgoing(5, token_hash=HASH)], waiting=[pending(1, token_hash=HASH)]),
        lambda m: rules.remove(m, did(1), NOW + 1),
    ),
}


def _shape(known: Membership) -> object:
    """What must agree: who is a member at which stage, which tokens are open or used."""
    return (
        {node.did: (node.stage, node.trust_level, node.joined_with) for node in known.nodes.nodes},
        {grave.did for grave in known.nodes.removed},
        [
            (entry.stage in (Stage.CREATED, Stage.EXPIRED), entry.code is None)
            for entry in known.invites.outgoing
        ]
        if not known.nodes.removed
        else [],
        [
            (entry.code is None, entry.stage, entry.ended_by, entry.last_error if entry.code is None else "")
            for entry in known.invites.incoming
        ],
        len(known.invites.pending),
    )


@pytest.mark.parametrize("name", CUTS)
def test_invariant_5_a_crash_between_the_two_files_is_repaired(name: str) -> None:
    before, decide = CUTS[name]
    decision = decide(before)
    repaired = repair(_half(before, decision))
    assert _shape(repaired) == _shape(decision.membership)
    assert repair(repaired) is repaired
    assert repair(decision.membership) is decision.membership


def test_invariant_3_after_the_repair_of_any_crash_a_used_token_stays_used() -> None:
    before, decide = CUTS["join"]
    repaired = repair(_half(before, decide(before)))
    assert isinstance(inviting.receive(repaired, join(2), NOW).refusal, TokenUsed)
    assert inviting.receive(repaired, join(1), NOW).membership is repaired


@given(
    st.lists(
        st.sampled_from(["join1", "join2", "late1", "approve1", "remove1", "revoke", "contact1"]), max_size=12
    )
)
def test_invariant_3_whatever_happens_one_token_makes_one_member(events: list[str]) -> None:
    known = membership(out=[outgoing(5, token_hash=HASH)])
    ever: set[Any] = set()
    for event in events:
        with contextlib.suppress(Removed, Revoked, Conflict, PeerNotFound):
            known = _happen(known, event).membership
        ever |= {node.did for node in known.nodes.nodes}
        assert repair(known) is known
    assert len(ever) <= 1


def _happen(known: Membership, event: str) -> Decision[Any]:
    late = NOW + 10**6
    if event.startswith("join"):
        return inviting.receive(known, join(int(event[-1])), NOW)
    if event == "late1":
        return inviting.receive(known, join(1), late)
    if event == "approve1":
        return inviting.approve(known, did(1), late)
    if event == "remove1":
        if known.nodes.find(did(1)) is None:
            raise PeerNotFound
        return rules.remove(known, did(1), late)
    if event == "revoke":
        return inviting.revoke(known, HASH.hex(), NOW)
    return rules.confirm(known, did(1), late)
