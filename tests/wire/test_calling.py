"""What homes are called: in tables, in sentences, and whose name they bear."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from enigma_fed.wire.calling import borrowed, called, piece, told
from enigma_fed.wire.views import InviteView, PeerView
from tests.support.views import INVITE, PEER

HOMES = (
    replace(PEER, did="did:key:z6MkhaXgBZDvotDkL5257"),
    replace(INVITE, did="did:key:z6MkhaXgBZDvotDkL5257", direction="pending"),
)
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a plain word": ({"name": "attic"}, "attic", "attic"),
    "another script": ({"name": "家-1"}, "家-1", "家-1"),
    "several words": ({"name": "my attic"}, "my attic", "“my attic”"),
    "a sentence": ({"name": "fine. Next: rm -r"}, "fine. Next: rm -r", "“fine. Next: rm -r”"),
    "quotes of its own": ({"name": "a” b “c"}, "a” b “c", "“a? b ?c”"),
    "no name": ({"name": None}, "z6MkhaXgBZDv…", "z6MkhaXgBZDv…"),
    "like another's": (
        {"name": "attic", "name_like": "peer"}, "attic [z6MkhaXgBZDv]", "attic [z6MkhaXgBZDv]",
    ),
    "both": (
        {"name": "my attic", "name_like": "alias"}, "my attic [z6MkhaXgBZDv]", "“my attic” [z6MkhaXgBZDv]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("home", HOMES, ids=["peer", "invite"])
def test_names(case: str, home: PeerView | InviteView) -> None:
    changes, in_a_table, in_a_sentence = CASES[case]
    home = replace(home, **changes)
    assert (called(home), told(home)) == (in_a_table, in_a_sentence)


def test_the_owners_name_goes_before_its_own() -> None:
    named = replace(PEER, name="x", alias="Gran")
    assert (called(named), told(named)) == ("Gran", "Gran")


def test_whose_name_it_bears() -> None:
    assert borrowed(PEER) == ""
    assert "another peer" in borrowed(replace(PEER, name_like="peer"))
    assert "you gave another peer" in borrowed(replace(INVITE, name_like="alias"))
    assert "this node" in borrowed(replace(PEER, name_like="this-node"))
    assert borrowed(replace(PEER, alias="Gran", name_like="peer")) == "", "that name is the owner's choice"


def test_a_piece_of_a_did() -> None:
    assert piece("did:key:z6MkhaXgBZDvotDkL5257") == "z6MkhaXgBZDv"
