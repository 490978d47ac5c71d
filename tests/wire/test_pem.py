"""Key files in PKCS#8 PEM."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import WireError
from enigma_fed.wire import pem

SEED = bytes(range(32))


@given(st.binary(min_size=32, max_size=32))
def test_it_is_what_openssl_writes_and_reads(seed: bytes) -> None:
    theirs = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert pem.encode_seed(seed) == theirs
    assert pem.decode_seed(theirs) == seed


def test_line_ends_of_an_editor_do_no_harm() -> None:
    assert pem.decode_seed(b"\n" + pem.encode_seed(SEED).replace(b"\n", b"\r\n")) == SEED


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        pem.encode_seed(SEED)[:-30],
        pem.encode_seed(SEED).replace(b"M", b"?", 1),
        pem.encode_seed(SEED).replace(b"K2Vw", b"K2Vu"),
        pem.encode_seed(SEED).replace(b"PRIVATE", b"PUBLIC"),
        pem.encode_seed(SEED).replace(b"\n-----END", b"==\n-----END"),
    ],
)
def test_anything_else_is_refused_without_repeating_it(text: bytes) -> None:
    with pytest.raises(WireError) as refused:
        pem.decode_seed(text)
    assert "AAECAwQFBgc" not in str(refused.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(text: bytes) -> None:
    for candidate in (text, pem.encode_seed(SEED)[:40] + text):
        with pytest.raises(WireError):
            pem.decode_seed(candidate)


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(ValueError):
        pem.encode_seed(bytes(31))
