"""Checking signatures with libsodium's rules: small-order keys and non-canonical forms never verify."""

from __future__ import annotations

import nacl.bindings
from nacl.exceptions import BadSignatureError

_SIGNATURE_BYTES = 64
_KEY_BYTES = 32


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is the Ed25519 signature of `message` under `public_key` (32 bytes)."""
    if len(signature) != _SIGNATURE_BYTES or len(public_key) != _KEY_BYTES:
        return False
    try:
        nacl.bindings.crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True
