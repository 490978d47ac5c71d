"""An Ed25519 seed as PKCS#8 PEM (RFC 8410 section 7): the form of the key files."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from enigma_fed.base.errors import WireError

SEED_BYTES: Final = 32
_HEAD: Final = b"-----BEGIN PRIVATE KEY-----\n"
_TAIL: Final = b"\n-----END PRIVATE KEY-----\n"
_DER_PREFIX: Final = bytes.fromhex("302e020100300506032b657004220420")
"""PrivateKeyInfo, version 0, id-Ed25519, an octet string in an octet string."""


def encode_seed(seed: bytes) -> bytes:
    """The PEM text of a 32-byte seed."""
    if len(seed) != SEED_BYTES:
        raise ValueError("a seed has 32 bytes")
    return _HEAD + base64.b64encode(_DER_PREFIX + seed) + _TAIL


def decode_seed(pem: bytes) -> bytes:
    """The 32-byte seed of a PEM text as `encode_seed` (or OpenSSL) writes it; raises WireError.

    The error never repeats the text: it is a secret.
    """
    text = pem.replace(b"\r\n", b"\n").strip() + b"\n"
    if not (text.startswith(_HEAD) and text.endswith(_TAIL)):
        raise WireError("the key file is not a PKCS#8 PEM file")
    try:
        der = base64.b64decode(text[len(_HEAD) : -len(_TAIL)], validate=True)
    except (binascii.Error, ValueError):
        raise WireError("the key file is not base64") from None
    if der[: len(_DER_PREFIX)] != _DER_PREFIX or len(der) != len(_DER_PREFIX) + SEED_BYTES:
        raise WireError("the key file does not hold an Ed25519 key")
    seed = der[len(_DER_PREFIX) :]
    if encode_seed(seed) != text:
        raise WireError("the key file is not in its shortest form")
    return seed
