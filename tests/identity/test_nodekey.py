"""The node's key."""

from __future__ import annotations

import pytest

from enigma_fed.base.errors import WireError
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.identity.signing import verify

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")


def test_the_rfcs_own_vector() -> None:
    """RFC 8032 section 7.1, test 1."""
    key = NodeKey.generate(SEED)
    assert key.did.public_key.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"
    )
    assert verify(key.did.public_key, b"", key.sign(b""))


def test_it_goes_round_through_its_file_form() -> None:
    key = NodeKey.generate(SEED)
    assert NodeKey.from_pem(key.to_pem()).did == key.did
    with pytest.raises(WireError):
        NodeKey.from_pem(b"no key")


def test_invariant_8_its_repr_shows_no_secret() -> None:
    shown = repr(NodeKey.generate(SEED))
    assert SEED.hex() not in shown
    assert repr(SEED)[2:-1] not in shown
    assert shown.startswith("NodeKey(z6Mk")


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(ValueError):
        NodeKey(bytes(64))
