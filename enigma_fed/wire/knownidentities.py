"""known.json: what registries said of identities before, so that other keys are noticed (docs/FILES.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from enigma_fed.base import registry_limits
from enigma_fed.base.ids import Did
from enigma_fed.wire import fields
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.userid import UserId

_BYTES: Final = 32


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An identity as a registry gave it last."""

    url: str
    user_id: UserId
    keys: bytes
    """`keys_digest` of its two keys, 32 bytes."""
    identity: bytes
    """Digest of the whole of it, 32 bytes."""
    first_seen: int
    """Unix seconds, like all times here."""
    last_seen: int
    head: bytes | None = None
    """Hash of the newest entry of its log that was seen, 32 bytes."""


class KnownRegistry(msgspec.Struct, frozen=True):
    """A registry and the DID that it gave at first."""

    url: str
    did: Did


class KnownFile(msgspec.Struct, frozen=True):
    """What the file holds."""

    identities: tuple[Known, ...] = ()
    registries: tuple[KnownRegistry, ...] = ()

    def find(self, url: str, user: UserId) -> Known | None:
        """What this registry said of this user."""
        return next((each for each in self.identities if each.user_id == user and each.url == url), None)

    def registry(self, url: str) -> Did | None:
        """The DID of this registry."""
        return next((each.did for each in self.registries if each.url == url), None)

    def with_identity(self, seen: Known) -> KnownFile:
        """With this in place of what was known; the one seen longest ago goes beyond the bound."""
        others = [each for each in self.identities if (each.user_id, each.url) != (seen.user_id, seen.url)]
        if len(others) >= registry_limits.KNOWN_IDENTITIES:
            others.remove(min(others, key=lambda each: each.last_seen))
        return msgspec.structs.replace(self, identities=(*others, seen))

    def with_registry(self, url: str, did: Did) -> KnownFile:
        """With the DID of a registry; the one noted first goes beyond the bound."""
        others = tuple(each for each in self.registries if each.url != url)
        noted = (*others, KnownRegistry(url, did))[-registry_limits.OWN_REGISTRIES :]
        return msgspec.structs.replace(self, registries=noted)


def keys_digest(identity: PublicIdentity) -> bytes:
    """BLAKE2b-256 of the signing key and the encryption key, each with its length in 4 bytes before it."""
    digest = hashlib.blake2b(digest_size=_BYTES)
    for key in (identity.signing_public_key, identity.encryption_public_key):
        digest.update(len(key).to_bytes(4, "big") + key)
    return digest.digest()


def encode(value: KnownFile) -> Mapping[str, object]:
    """The members of the file."""
    return {
        "identities": [
            {
                "url": each.url,
                "user_id": each.user_id.hex,
                "keys": each.keys.hex(),
                "identity": each.identity.hex(),
                "first_seen": each.first_seen,
                "last_seen": each.last_seen,
                "head": None if each.head is None else each.head.hex(),
            }
            for each in value.identities
        ],
        "registries": [{"url": each.url, "did": str(each.did)} for each in value.registries],
    }


def decode(members: Mapping[str, object]) -> KnownFile:
    """Read the members; raises WireError."""
    return KnownFile(
        tuple(
            _known(fields.mapping(item, "identities"))
            for item in fields.items(members, "identities", required=True)
        ),
        tuple(
            _registry(fields.mapping(item, "registries"))
            for item in fields.items(members, "registries", required=True)
        ),
    )


def _known(members: fields.Object) -> Known:
    return Known(
        url=fields.text(members, "url"),
        user_id=UserId(fields.hexadecimals(members, "user_id", _BYTES)),
        keys=fields.hexadecimals(members, "keys", _BYTES),
        identity=fields.hexadecimals(members, "identity", _BYTES),
        first_seen=fields.integer(members, "first_seen"),
        last_seen=fields.integer(members, "last_seen"),
        head=fields.optional(lambda found, name: fields.hexadecimals(found, name, _BYTES), members, "head"),
    )


def _registry(members: fields.Object) -> KnownRegistry:
    return KnownRegistry(fields.text(members, "url"), fields.did(members, "did"))
