"""An onion key: its address, tor's own form of it, its PEM."""

from __future__ import annotations

import nacl.bindings
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.ids import OnionAddress
from enigma_fed.transports.tor.onionkey import OnionKey

SEEDS = st.binary(min_size=32, max_size=32)


@given(SEEDS)
def test_the_expanded_key_belongs_to_the_address(seed: bytes) -> None:
    key = OnionKey(seed)
    assert len(key.expanded) == 64
    public = nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(key.expanded[:32])
    assert OnionAddress(public) == key.address


@given(SEEDS)
def test_pem_round_trip(seed: bytes) -> None:
    assert OnionKey.from_pem(OnionKey(seed).to_pem()) == OnionKey(seed)


def test_tors_files_have_tors_form() -> None:
    key = OnionKey.generate(bytes(32))
    assert key.secret_file[:32] == b"== ed25519v1-secret: type0 ==\0\0\0"
    assert len(key.secret_file) == 96
    assert key.public_file == b"== ed25519v1-public: type0 ==\0\0\0" + key.address.public_key
    assert key.hostname_file == str(key.address).encode() + b"\n"


def test_invariant_8_the_seed_is_not_in_the_repr() -> None:
    assert "seed" not in repr(OnionKey(b"s" * 32))
    assert "ssss" not in repr(OnionKey(b"s" * 32))


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        OnionKey(bytes(31))
