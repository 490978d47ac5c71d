"""Nobody passes for another by its name: each case that an owner could be led astray by."""

from __future__ import annotations

from typing import Any

import pytest

from enigma_fed.federation.names import Likeness, NameBook, told, told_by
from enigma_fed.wire.records import Membership
from enigma_fed.wire.viewbuild import invalid_view, invite_view, peer_view, pending_view
from tests.support.identities import did
from tests.support.members import NOW, member, pending
from tests.support.memberships import accept, invite_of, membership

LOOKS = "\u0430ttic"
"""With a Cyrillic first letter."""


def likeness(known: Membership, number: int, own: str = "cellar") -> Likeness | None:
    [node] = [node for node in known.nodes.nodes if node.did == did(number)]
    shown = NameBook(known, own).marked(peer_view(node, None, "up", NOW))
    return None if shown.name_like is None else Likeness(shown.name_like)


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str | None, str | None]]] = {
    "nothing in common": ({"name": "attic"}, {"name": "barn"}, (None, None)),
    "no names": ({"name": None}, {"name": None}, (None, None)),
    "the same name": ({"name": "attic"}, {"name": "attic"}, ("peer", "peer")),
    "one that looks like it": ({"name": "attic"}, {"name": LOOKS}, ("peer", "peer")),
    "the alias of another": ({"name": "x", "alias": "attic"}, {"name": "Attic"}, ("peer", "alias")),
    "the own name of one with an alias": ({"name": "attic", "alias": "x"}, {"name": "attic"}, (None, "peer")),
    "this node": ({"name": "attic"}, {"name": "CELLAR"}, (None, "this-node")),
    "this node, by two": ({"name": "cellar"}, {"name": "ceIlar"}, ("this-node", "this-node")),
    "an alias hides it": ({"name": "attic"}, {"name": "attic", "alias": "mine"}, ("peer", None)),
}


@pytest.mark.parametrize("case", CASES)
def test_whose_name_looks_like_whose(case: str) -> None:
    first, second, expected = CASES[case]
    known = membership(nodes=[member(1, **first), member(2, **second)])
    assert (likeness(known, 1), likeness(known, 2)) == expected


def test_joins_under_way_are_marked_and_mark_others() -> None:
    waiting = pending(3, name="Attic")
    known = membership(nodes=[member(1, name="attic")], waiting=[waiting])
    book = NameBook(known, "cellar")
    assert likeness(known, 1) is Likeness.PEER
    assert book.marked(pending_view(waiting)).name_like == "peer"
    assert book.marked(invite_view(waiting, NOW)).name_like == "peer"
    accepted = accept(membership(nodes=[member(5, name="attic")]), invite_of(1, name="attic"))
    assert NameBook(accepted.membership, None).marked(invite_view(accepted.result, NOW)).name_like == "peer"


def test_a_node_that_is_a_member_and_joins_again_is_not_like_itself() -> None:
    known = membership(nodes=[member(1, name="attic")], waiting=[pending(1, name="attic")])
    assert likeness(known, 1) is None


def test_an_entry_that_is_not_valid_stays_as_it_is() -> None:
    view = invalid_view("{}")
    assert NameBook(membership(nodes=[member(1)]), "cellar").marked(view) == view


def test_the_log_names_a_piece_of_the_did_with_every_name() -> None:
    assert told(member(1, name="attic")) == f"attic ({did(1).short})"
    assert told_by("attic", did(1)) == f"attic ({did(1).short})"
    assert told_by(None, did(1)) == f"a node ({did(1).short})"
