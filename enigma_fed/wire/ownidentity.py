"""An identity of this node's owner for registries: its secret keys, and the file of them (docs/FILES.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import nacl.bindings

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.wire import envelope, fields, publicidentity
from enigma_fed.wire.publicidentity import IdentityBundle, PublicIdentity
from enigma_fed.wire.userid import UserId, normalized

Random = Callable[[int], bytes]
_SECRET_BYTES: Final = 32
_DIGEST_BYTES: Final = 32
_DEVICE_BYTES: Final = 16
_PREKEY_MOST: Final = 2**32 - 1


class KeySet(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets behind one public identity. Its repr never shows them (invariant 8)."""

    created_ms: int
    """Milliseconds since the epoch."""
    device_id: str
    """A hyphenated UUID, the same through all key sets."""
    signing_seed: bytes
    """Ed25519, 32 bytes."""
    encryption_secret: bytes
    """X25519, 32 bytes."""
    prekey_id: int
    prekey_secret: bytes
    """X25519, 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature."""
        _, secret = nacl.bindings.crypto_sign_seed_keypair(self.signing_seed)
        return nacl.bindings.crypto_sign(message, secret)[: nacl.bindings.crypto_sign_BYTES]

    @property
    def signing_public_key(self) -> bytes:
        """Ed25519, 32 bytes."""
        return nacl.bindings.crypto_sign_seed_keypair(self.signing_seed)[0]

    def __repr__(self) -> str:
        return "KeySet(…)"


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A registry that holds one of the key sets."""

    url: str
    identity: bytes
    """Digest of the public identity that it acknowledged last, 32 bytes."""
    at: int
    """Unix seconds of that."""


class OwnIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A name and its keys."""

    name: str
    shows_name: bool
    """Whether the public identity carries the name."""
    keys: tuple[KeySet, ...]
    """The newest first, never empty."""
    registrations: tuple[Registration, ...] = ()

    @property
    def user_id(self) -> UserId:
        """The handle of the name."""
        return UserId.of(self.name)

    def public(self, keys: KeySet | None = None) -> PublicIdentity:
        """What a registry is given: of the newest keys, or of others of this identity."""
        keys = keys or self.keys[0]
        user, encryption = self.user_id, envelope.public_key(keys.encryption_secret)
        prekey = envelope.public_key(keys.prekey_secret)
        bundle = IdentityBundle(
            user_id=user,
            device_id=keys.device_id,
            identity_dh_pub=encryption,
            identity_sig_pub=keys.signing_public_key,
            signed_prekey_id=keys.prekey_id,
            signed_prekey_pub=prekey,
            signed_prekey_sig=keys.sign(publicidentity.prekey_message(prekey)),
            created_ms=keys.created_ms,
            expires_ms=None,
        )
        return PublicIdentity(
            user_id=user,
            username_hint=self.name if self.shows_name else None,
            signing_public_key=keys.signing_public_key,
            encryption_public_key=encryption,
            signature=bundle.encode(),
            created_at_ms=keys.created_ms,
        )

    def keys_of(self, identity: bytes) -> KeySet | None:
        """The key set whose public identity has this digest."""
        return next((keys for keys in self.keys if self.public(keys).digest == identity), None)

    def registered_at(self, url: str) -> Registration | None:
        """What is noted of a registry."""
        return next((each for each in self.registrations if each.url == url), None)

    def with_keys(self, newer: KeySet) -> OwnIdentity:
        """With these keys as the newest; the oldest go that no registry is known to hold."""
        held = {each.identity for each in self.registrations}
        kept = [newer, *self.keys]
        for keys in reversed(self.keys):
            if len(kept) <= registry_limits.FORMER_KEYS + 1:
                break
            if self.public(keys).digest not in held:
                kept.remove(keys)
        return msgspec.structs.replace(self, keys=tuple(kept))

    def with_registration(self, made: Registration) -> OwnIdentity:
        """With this note in place of what was noted of the same registry; the oldest go beyond the bound."""
        others = tuple(each for each in self.registrations if each.url != made.url)
        noted = (*others, made)[-registry_limits.OWN_REGISTRIES :]
        return msgspec.structs.replace(self, registrations=noted)

    def without_registration(self, url: str) -> OwnIdentity:
        """With nothing noted of this registry."""
        others = tuple(each for each in self.registrations if each.url != url)
        return msgspec.structs.replace(self, registrations=others)


def new_identity(name: str, random: Random, now_ms: int, *, shows_name: bool = True) -> OwnIdentity:
    """An identity with fresh keys; raises InputRefused for a name that no registry takes."""
    keys = KeySet(
        created_ms=now_ms,
        device_id=_uuid(random(_DEVICE_BYTES)),
        signing_seed=random(_SECRET_BYTES),
        encryption_secret=random(_SECRET_BYTES),
        prekey_id=1,
        prekey_secret=random(_SECRET_BYTES),
    )
    return OwnIdentity(name=normalized(name), shows_name=shows_name, keys=(keys,))


def renewed(keys: KeySet, random: Random, now_ms: int, *, signing: bool) -> KeySet:
    """Fresh encryption keys, and with `signing` a fresh signing key too."""
    return KeySet(
        created_ms=max(now_ms, keys.created_ms + 1),
        device_id=keys.device_id,
        signing_seed=random(_SECRET_BYTES) if signing else keys.signing_seed,
        encryption_secret=random(_SECRET_BYTES),
        prekey_id=keys.prekey_id % _PREKEY_MOST + 1,
        prekey_secret=random(_SECRET_BYTES),
    )


def encode(own: OwnIdentity) -> Mapping[str, object]:
    """The members of the file."""
    return {
        "name": own.name,
        "shows_name": own.shows_name,
        "keys": [
            {
                "created_ms": keys.created_ms,
                "device_id": keys.device_id,
                "signing_seed": keys.signing_seed.hex(),
                "encryption_secret": keys.encryption_secret.hex(),
                "prekey_id": keys.prekey_id,
                "prekey_secret": keys.prekey_secret.hex(),
            }
            for keys in own.keys
        ],
        "registrations": [
            {"url": each.url, "identity": each.identity.hex(), "at": each.at} for each in own.registrations
        ],
    }


def decode(members: Mapping[str, object]) -> OwnIdentity:
    """Read the members; raises WireError, which never repeats a key."""
    name = fields.text(members, "name")
    try:
        if normalized(name) != name:
            raise WireError("name: not the form that is hashed")
    except InputRefused:
        raise WireError("name: not one that a registry takes") from None
    keys = tuple(_keys(fields.mapping(item, "keys")) for item in fields.items(members, "keys", required=True))
    if not keys:
        raise WireError("keys: empty")
    return OwnIdentity(
        name=name,
        shows_name=fields.boolean(members, "shows_name"),
        keys=keys,
        registrations=tuple(
            _registration(fields.mapping(item, "registrations"))
            for item in fields.items(members, "registrations")
        ),
    )


def _keys(members: fields.Object) -> KeySet:
    return KeySet(
        created_ms=fields.integer(members, "created_ms"),
        device_id=fields.text(members, "device_id"),
        signing_seed=fields.hexadecimals(members, "signing_seed", _SECRET_BYTES),
        encryption_secret=fields.hexadecimals(members, "encryption_secret", _SECRET_BYTES),
        prekey_id=fields.integer(members, "prekey_id", most=_PREKEY_MOST),
        prekey_secret=fields.hexadecimals(members, "prekey_secret", _SECRET_BYTES),
    )


def _registration(members: fields.Object) -> Registration:
    return Registration(
        url=fields.text(members, "url"),
        identity=fields.hexadecimals(members, "identity", _DIGEST_BYTES),
        at=fields.integer(members, "at"),
    )


def _uuid(raw: bytes) -> str:
    """Version 4 (RFC 9562 section 5.4)."""
    digits = bytearray(raw)
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
