from __future__ import annotations

import pytest

from enigma_fed.base.errors import FieldInvalid, PeerNotFound
from enigma_fed.federation.lookup import find_peer
from tests.support.identities import did
from tests.support.members import member, pending


def test_finding_a_peer() -> None:
    peers = [member(1, name="attic"), member(2, name="attic", alias="Gran"), member(3)]
    assert find_peer("Gran", peers).did == did(2)
    assert find_peer(str(did(3)), peers).did == did(3)
    for start in (str(did(3))[8:15], str(did(3))[:16]):
        assert find_peer(start, peers).did == did(3)
    assert find_peer("barn", [pending(4, name="barn")]).did == did(4)
    with pytest.raises(FieldInvalid, match="attic fits 2"):
        find_peer("attic", peers)
    for unknown in ("", "z6Mk", "nobody", str(did(4))):
        with pytest.raises(PeerNotFound):
            find_peer(unknown, peers)


def test_a_reference_that_fits_several_names_them_all() -> None:
    twins = [member(1, name="attic"), member(2, name="attic", alias="my\u201d attic"), pending(3, name=None)]
    with pytest.raises(FieldInvalid) as caught:
        find_peer("attic", twins)
    assert f"fits 2 peers: “attic” {did(1)}, “my? attic” {did(2)}" in str(caught.value)
    assert "Give the DID" in caught.value.hint
    start = str(did(1))[8:14]
    many = [member(number, name=start) for number in range(1, 8)]
    with pytest.raises(FieldInvalid, match=", and more") as caught:
        find_peer(start, many)
    assert str(caught.value).count("did:key:") == 5


@pytest.mark.parametrize("other", [{"name": "\u0430ttic"}, {"name": "x", "alias": "ATTIC"}])
def test_a_name_that_looks_like_another_peers_is_refused(other: dict[str, str]) -> None:
    """Whoever copies it from a list, or types it, may mean the other one."""
    peers = [member(1, name="attic"), member(2, **other)]
    for ref in ("attic", other["name"] if "alias" not in other else "attic"):
        with pytest.raises(FieldInvalid, match="fits 2 peers"):
            find_peer(ref, peers)


def test_a_name_that_only_looks_like_the_one_asked_for_is_not_found() -> None:
    """The one that was meant may be gone, and this one waited for that."""
    with pytest.raises(PeerNotFound):
        find_peer("attic", [member(2, name="\u0430ttic")])


def test_the_owners_alias_is_found_whoever_looks_like_it() -> None:
    peers = [member(1, name="\u0430ttic"), member(2, name="x", alias="attic")]
    assert find_peer("attic", peers).did == did(2)
    with pytest.raises(FieldInvalid, match="fits 2 peers"):
        find_peer("\u0430ttic", peers)


def test_an_alias_goes_before_the_name_that_a_peer_gives_itself() -> None:
    peers = [member(1, name="Gran"), member(2, alias="Gran")]
    assert find_peer("Gran", peers).did == did(2)


def test_a_name_that_a_peer_gives_itself_never_takes_another_peers_did() -> None:
    start = str(did(3))[8:20]
    with pytest.raises(FieldInvalid, match="fits 2 peers"):
        find_peer(start, [member(1, name=start), member(3)])
    assert find_peer(str(did(3)), [member(1, name=str(did(3))), member(3)]).did == did(3)


def test_a_name_in_another_case_or_with_a_slip_is_proposed() -> None:
    peers = [member(1, name="x", alias="bob"), member(2, name="carol")]
    for ref, name in (("Bob", "bob"), ("carl", "carol")):
        with pytest.raises(PeerNotFound) as caught:
            find_peer(ref, [pending(3, name="zoe")], peers)
        assert caught.value.hint == f"Did you mean “{name}”? See: enigma-fed peer list"
    for ref in ("nobody", "\u0441arol"):  # one that only looks like it is not proposed
        with pytest.raises(PeerNotFound) as caught:
            find_peer(ref, peers)
        assert caught.value.hint == "See: enigma-fed peer list"
