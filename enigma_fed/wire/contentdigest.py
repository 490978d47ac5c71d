"""The header `Content-Digest` (RFC 9530) with its one member `sha-256` (PROTOCOL section 1)."""

from __future__ import annotations

import hashlib
from typing import Final

from enigma_fed.wire import structured

_LABEL: Final = "sha-256"
_SIZE: Final = 32


def of(body: bytes) -> str:
    """The field's value for a body."""
    return f"{_LABEL}={structured.serialize_bytes(hashlib.sha256(body).digest())}"


def check(field: str) -> None:
    """Raise WireError unless the field holds exactly one SHA-256 digest, in canonical form."""
    structured.parse_bytes(field, _LABEL, _SIZE)


def matches(field: str, body: bytes) -> bool:
    """Whether a checked field is the digest of `body`; there is one text for each digest."""
    return field == of(body)
