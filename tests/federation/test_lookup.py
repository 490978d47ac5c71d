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


def test_an_alias_goes_before_the_name_that_a_peer_gives_itself() -> None:
    peers = [member(1, name="Gran"), member(2, alias="Gran")]
    assert find_peer("Gran", peers).did == did(2)


def test_a_name_that_a_peer_gives_itself_never_takes_another_peers_did() -> None:
    start = str(did(3))[8:20]
    with pytest.raises(FieldInvalid, match="fits 2 peers"):
        find_peer(start, [member(1, name=start), member(3)])
    assert find_peer(str(did(3)), [member(1, name=str(did(3))), member(3)]).did == did(3)
