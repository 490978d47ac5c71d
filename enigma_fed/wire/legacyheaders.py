"""The Rust agent's three header fields, which sign a time and nothing else (PROTOCOL section 1.6).

Read only: this program never sends them.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from enigma_fed.base.errors import InputError, WireError
from enigma_fed.base.ids import Did
from enigma_fed.wire import hexadecimal, timestamps
from enigma_fed.wire.httpsig import Fields, single

DID: Final = "X-Federation-DID"
SIGNATURE: Final = "X-Federation-Sig"
TIMESTAMP: Final = "X-Federation-Timestamp"

_SIGNATURE_BYTES: Final = 64
_PLAIN: Final = re.compile(r"[ -~]{1,40}")
"""An RFC 3339 time has at most 35 characters."""


class LegacyRequest(msgspec.Struct, frozen=True):
    """What the fields say; the signature is not checked yet."""

    did: Did
    timestamp: str
    """The text as it was sent: what `signature` signs."""
    created: int
    """The same as Unix seconds."""
    signature: bytes
    """Ed25519, 64 bytes."""

    @property
    def message(self) -> bytes:
        """What the signature covers."""
        return self.timestamp.encode("ascii")


def read(fields: Fields) -> LegacyRequest | None:
    """The fields of a request, None when none is there; raises WireError when they are not all there once."""
    did, signature, timestamp = (single(fields, name) for name in (DID, SIGNATURE, TIMESTAMP))
    if did is None and signature is None and timestamp is None:
        return None
    if did is None or signature is None or timestamp is None:
        raise WireError(f"{DID}, {SIGNATURE} and {TIMESTAMP} come together")
    if _PLAIN.fullmatch(timestamp) is None:
        raise WireError(f"{TIMESTAMP}: not an RFC 3339 time")
    try:
        return LegacyRequest(
            did=Did.parse(did),
            timestamp=timestamp,
            created=timestamps.from_text(timestamp),
            signature=hexadecimal.decode(signature, _SIGNATURE_BYTES),
        )
    except InputError as error:
        raise WireError(f"{DID}: {error.detail or error.what}") from None
