"""Checking signatures as strictly as libsodium does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.identity.signing import verify
from tests.support.signedcalls import key

ORDER = 2**252 + 27742317777372353535851937790883648493
KEY = key(1)
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]


def test_a_signature_holds_for_its_message_and_key() -> None:
    signature = KEY.sign(b"message")
    assert verify(KEY.did.public_key, b"message", signature)
    assert not verify(KEY.did.public_key, b"massage", signature)
    assert not verify(key(2).did.public_key, b"message", signature)


@pytest.mark.parametrize("public_key", SMALL_ORDER)
def test_a_small_order_key_signs_nothing(public_key: str) -> None:
    for commitment in SMALL_ORDER:
        forged = bytes.fromhex(commitment) + bytes(32)
        assert not any(verify(bytes.fromhex(public_key), b"%d" % i, forged) for i in range(16))


def test_a_signature_has_one_form() -> None:
    """Adding the group's order to the scalar gives a second signature only where checks are lax."""
    signature = KEY.sign(b"message")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify(KEY.did.public_key, b"message", signature[:32] + scalar.to_bytes(32, "little"))


@given(st.binary(max_size=100), st.binary(max_size=100), st.binary(max_size=100))
def test_any_bytes_are_just_false(public_key: bytes, message: bytes, signature: bytes) -> None:
    assert not verify(public_key, message, signature)
    assert not verify(KEY.did.public_key, message, signature)
