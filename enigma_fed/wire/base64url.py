"""Unpadded base64url (RFC 4648 section 5), canonical form only: one text for each byte string."""

from __future__ import annotations

import base64
import re
from typing import Final

from enigma_fed.base.errors import WireError

_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def encode(data: bytes) -> str:
    """Text without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Bytes of the text; raises WireError for padding, other characters or stray bits at the end."""
    if _ALPHABET.fullmatch(text) is None or len(text) % 4 == 1:
        raise WireError("not unpadded base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:
        raise WireError("not the shortest base64url of its bytes")
    return data
