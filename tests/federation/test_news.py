"""What memory says of an answer is what the rules would do to the whole membership."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import Busy, NotAllowed, Removed, UnknownPeer
from enigma_fed.federation import news, rules
from enigma_fed.federation.news import Renames
from enigma_fed.wire.records import Membership, Node, Role, Stage
from tests.support.identities import did
from tests.support.members import NOW, incoming, member, outgoing
from tests.support.memberships import membership

MEMBER_STAGES = (
    Stage.USED,
    Stage.CONFIRMED,
    Stage.ACCEPTED_HERE,
    Stage.ANNOUNCED,
    Stage.CONFIRMED_BOTH,
    Stage.AWAITING_APPROVAL,
    Stage.REFUSED,
)
INVITES = {
    "none": {},
    "used by it": {"out": [outgoing(1, stage=Stage.USED, used_by=did(1), code=None)]},
    "used by another": {"out": [outgoing(1, stage=Stage.USED, used_by=did(2), code=None)]},
    "open": {"out": [outgoing(1)]},
    "confirmed": {"out": [outgoing(1, stage=Stage.CONFIRMED, used_by=did(1), code=None)]},
    "announced": {"inc": [incoming(1, stage=Stage.ANNOUNCED, code=None)]},
    "announced by another": {"inc": [incoming(2, stage=Stage.ANNOUNCED, code=None)]},
    "accepted": {"inc": [incoming(1)]},
}


def nodes() -> list[Node]:
    return [
        member(1, stage=stage, they_forgot_us=forgot, name="attic", joined_as=role)
        for stage, forgot, role in itertools.product(MEMBER_STAGES, (False, True), Role)
    ]


def worlds(invites: str) -> list[tuple[Membership, Node]]:
    """Memberships with the entry that was asked: the same, one of before a newer join, one that is gone."""
    found: list[tuple[Membership, Node]] = []
    for node in nodes():
        whole = membership(nodes=[node, member(2)], **INVITES[invites])
        found += [(whole, node), (whole, msgspec.structs.replace(node, joined_with=()))]
    return [*found, (membership(nodes=[member(2)], **INVITES[invites]), member(1))]


@pytest.mark.parametrize("invites", INVITES)
@pytest.mark.parametrize("name", [None, "attic", "other"])
def test_an_answer_is_news_if_and_only_if_the_rules_change_something(invites: str, name: str | None) -> None:
    for whole, asked in worlds(invites):
        changes = rules.poll_answered(whole, asked, NOW + 5, name=name).membership is not whole
        awaited = did(1) in news.awaiting(whole.invites)
        known = whole.nodes.find(did(1))
        if known is None:
            assert not news.answered(known, asked, awaited, name=name)
            assert not changes
        else:
            assert news.answered(known, asked, awaited, name=name) is changes


@pytest.mark.parametrize("invites", INVITES)
@pytest.mark.parametrize("word", [NotAllowed.code, UnknownPeer.code, Removed.code, Busy.code])
def test_a_refusal_is_news_if_and_only_if_the_rules_change_something(invites: str, word: str) -> None:
    for whole, asked in worlds(invites):
        changes = rules.poll_refused(whole, asked, word, NOW + 5).membership is not whole
        awaited = did(1) in news.awaiting(whole.invites)
        assert news.refused(whole.nodes.find(did(1)), asked, awaited, word) is changes


def test_a_name_that_changes_again_and_again_is_taken_slowly() -> None:
    """limits.RENAME_INTERVAL."""
    renames = Renames()
    assert renames.take(did(1), 0.0)
    assert renames.take(did(2), 1.0), "each peer for itself"
    assert not renames.take(did(1), limits.RENAME_INTERVAL - 0.1)
    assert renames.take(did(1), limits.RENAME_INTERVAL)
    assert renames.take(did(3), 10.0 * limits.RENAME_INTERVAL)
    assert len(renames._taken) == 1, "what is old is forgotten"
