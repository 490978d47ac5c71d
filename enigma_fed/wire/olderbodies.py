"""Bodies of the registry's older generation, which carry identities in clear (docs/REGISTRY.md section 3)."""

from __future__ import annotations

from typing import Final

from enigma_fed.base import registry_limits
from enigma_fed.wire import registryobject as read
from enigma_fed.wire.publicidentity import PublicIdentity

_MEMBER: Final = "identity"
_REGISTER: Final = frozenset({_MEMBER})


def registration(data: bytes) -> PublicIdentity | None:
    """The identity of an older `POST /register`; None for the body of the newer one.

    Raises TooLarge, InputRefused.
    """
    body = read.body(data, registry_limits.REGISTER_BYTES, values=registry_limits.IDENTITY_VALUES)
    if not isinstance(body, dict) or _MEMBER not in body:
        return None
    return PublicIdentity.from_object(read.members(body, "body", _REGISTER)[_MEMBER], _MEMBER)


def resolved(identity: bytes | None) -> bytes:
    """The answer to an older `GET /resolve/{handle}`: an identity as compact JSON, or null."""
    return b'{"identity":%b}' % (b"null" if identity is None else identity)
