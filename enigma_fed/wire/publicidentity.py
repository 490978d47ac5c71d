"""A user's public identity, which a registry keeps (docs/REGISTRY.md, "Identities").

Its `signature` is no signature: what today's clients put there is a bundle of keys, of which only the prekey
is signed. Keys may have any length: clients of other kinds exist.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final, Self, TypeVar

import msgspec

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import InputRefused, TooLarge
from enigma_fed.wire import registryobject as read
from enigma_fed.wire.userid import UserId, normalized

Identity = TypeVar("Identity", bound="PublicIdentity")
Verify = Callable[[bytes, bytes, bytes], bool]
"""Of (public key, message, signature): whether that is its Ed25519 signature (`identity.signing.verify`)."""

_REASON: Final = "identity"
_BUNDLE_PREFIX: Final = b"enigma-id-v2:"
_PREKEY_LABEL: Final = b"enigma:x3dh:spk:v1"
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members in the order in which they are written."""

    user_id: str
    username_hint: str | None
    signing_public_key: list[int]
    encryption_public_key: list[int]
    signature: list[int]
    created_at_ms: int


_DECODE: Final = msgspec.json.Decoder(_Form).decode
_ENCODE: Final = msgspec.json.Encoder().encode
_OPTIONAL: Final = frozenset({"username_hint"})
_REQUIRED: Final = frozenset(_Form.__struct_fields__) - _OPTIONAL


class PublicIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """The plaintext of an envelope."""

    user_id: UserId
    username_hint: str | None
    """The name, if its owner shows it."""
    signing_public_key: bytes
    encryption_public_key: bytes
    signature: bytes
    """Of any length, no signature: see IdentityBundle."""
    created_at_ms: int
    """Milliseconds since the epoch, its owner's clock."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read JSON of at most `IDENTITY_BYTES`; raises TooLarge, InputRefused. `check` looks further."""
        if len(data) > registry_limits.IDENTITY_BYTES:
            raise TooLarge
        form = read.compact(_DECODE, data)
        if form is not None:
            try:
                return _valid(cls._of_form(form), _REASON)
            except ValueError:
                pass  # a number that is no byte: the other way names its member
        most = registry_limits.IDENTITY_VALUES
        return cls.from_object(read.body(data, registry_limits.IDENTITY_BYTES, _REASON, values=most), _REASON)

    @classmethod
    def _of_form(cls, form: _Form) -> Self:
        return cls(
            user_id=UserId.parse(form.user_id, "identity.user_id"),
            username_hint=form.username_hint,
            signing_public_key=bytes(form.signing_public_key),
            encryption_public_key=bytes(form.encryption_public_key),
            signature=bytes(form.signature),
            created_at_ms=form.created_at_ms,
        )

    @classmethod
    def from_object(cls, value: object, field: str = "identity") -> Self:
        """Read the members; raises InputRefused that names one of them."""
        return _valid(cls.structure(value, field), field)

    @classmethod
    def structure(cls, value: object, field: str = "identity") -> Self:
        """Read the members without the rules of what may be in them (`keeps_rules`); raises InputRefused."""
        found = read.members(value, field, _REQUIRED, _OPTIONAL)
        hint = found.get("username_hint")
        return cls(
            user_id=UserId.parse(read.text(found, "user_id", field), f"{field}.user_id"),
            username_hint=None if hint is None else read.text(found, "username_hint", field),
            signing_public_key=read.octets(found, "signing_public_key", field),
            encryption_public_key=read.octets(found, "encryption_public_key", field),
            signature=read.octets(found, "signature", field),
            created_at_ms=read.integer(found, "created_at_ms", field),
        )

    def encode(self) -> bytes:
        """Compact JSON, members in the order of the wire."""
        return _ENCODE(
            _Form(
                self.user_id.hex,
                self.username_hint,
                list(self.signing_public_key),
                list(self.encryption_public_key),
                list(self.signature),
                self.created_at_ms,
            )
        )

    @property
    def digest(self) -> bytes:
        """BLAKE2b-256 of the compact JSON."""
        return hashlib.blake2b(self.encode(), digest_size=32).digest()

    @property
    def keeps_rules(self) -> bool:
        """Whether each member may have the value that it has, and all of them together their size."""
        return _broken(self) is None and len(self.encode()) <= registry_limits.IDENTITY_BYTES

    def says_the_same(self, other: PublicIdentity) -> bool:
        """Whether it is the other but for the time: some clients write a new one at each start."""
        return msgspec.structs.replace(other, created_at_ms=self.created_at_ms) == self

    def __repr__(self) -> str:
        return "PublicIdentity(…)"


def _broken(identity: PublicIdentity) -> str | None:
    """The member that breaks a rule, if any."""
    if identity.username_hint is not None:
        try:
            normalized(identity.username_hint)
        except InputRefused:
            return "username_hint"
    for name in ("signing_public_key", "encryption_public_key", "signature"):
        if not getattr(identity, name):
            return name
    return None if 0 < identity.created_at_ms <= read.UNSIGNED_64 else "created_at_ms"


def _valid(identity: Identity, field: str) -> Identity:
    broken = _broken(identity)
    if broken is not None:
        raise InputRefused(f"{field}.{broken}", _REASON)
    return identity


class _BundleForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members in the order in which they are written."""

    user_id_hex: str
    device_id: str
    identity_dh_pub: list[int]
    identity_sig_pub: list[int]
    signed_prekey_id: int
    signed_prekey_pub: list[int]
    signed_prekey_sig: list[int]
    created_ms: int
    expires_ms: int | None


_DECODE_BUNDLE: Final = msgspec.json.Decoder(_BundleForm).decode
_BUNDLE_OPTIONAL: Final = frozenset({"expires_ms"})
_BUNDLE_REQUIRED: Final = frozenset(_BundleForm.__struct_fields__) - _BUNDLE_OPTIONAL


class IdentityBundle(msgspec.Struct, frozen=True, kw_only=True):
    """What today's clients put into `signature`: `enigma-id-v2:` and JSON."""

    user_id: UserId
    device_id: str
    """A hyphenated UUID."""
    identity_dh_pub: bytes
    """X25519, 32 bytes."""
    identity_sig_pub: bytes
    """Ed25519, 32 bytes."""
    signed_prekey_id: int
    signed_prekey_pub: bytes
    signed_prekey_sig: bytes
    """Ed25519 by `identity_sig_pub` over `prekey_message`, 64 bytes."""
    created_ms: int
    expires_ms: int | None

    @classmethod
    def found_in(cls, signature: bytes) -> Self | None:
        """The bundle in an identity's `signature`, None if it is something else; raises InputRefused."""
        if not signature.startswith(_BUNDLE_PREFIX):
            return None
        field = "identity.signature"
        inside = signature[len(_BUNDLE_PREFIX) :]
        value = read.shortly(_DECODE_BUNDLE, inside)
        found = read.members(
            read.body(inside, registry_limits.IDENTITY_BYTES, field) if value is None else value,
            field,
            _BUNDLE_REQUIRED,
            _BUNDLE_OPTIONAL,
        )
        device = read.text(found, "device_id", field)
        if _UUID.fullmatch(device) is None:
            raise InputRefused(f"{field}.device_id")
        return cls(
            user_id=UserId.parse(read.text(found, "user_id_hex", field), f"{field}.user_id_hex"),
            device_id=device,
            identity_dh_pub=read.octets(found, "identity_dh_pub", field, 32),
            identity_sig_pub=read.octets(found, "identity_sig_pub", field, 32),
            signed_prekey_id=read.integer(found, "signed_prekey_id", field, most=read.UNSIGNED_32),
            signed_prekey_pub=read.octets(found, "signed_prekey_pub", field, 32),
            signed_prekey_sig=read.octets(found, "signed_prekey_sig", field, 64),
            created_ms=read.integer(found, "created_ms", field),
            expires_ms=read.optional_integer(found, "expires_ms", field),
        )

    def encode(self) -> bytes:
        """The bytes for `signature`."""
        return _BUNDLE_PREFIX + _ENCODE(
            _BundleForm(
                self.user_id.hex,
                self.device_id,
                list(self.identity_dh_pub),
                list(self.identity_sig_pub),
                self.signed_prekey_id,
                list(self.signed_prekey_pub),
                list(self.signed_prekey_sig),
                self.created_ms,
                self.expires_ms,
            )
        )

    def __repr__(self) -> str:
        return "IdentityBundle(…)"


def prekey_message(signed_prekey_pub: bytes) -> bytes:
    """What `signed_prekey_sig` covers."""
    return _PREKEY_LABEL + signed_prekey_pub


def check(identity: PublicIdentity, verify: Verify) -> None:
    """Refuse an identity that contradicts itself; raises InputRefused.

    A name that it shows must be the one of its handle. A bundle must be of this user, hold the identity's own
    keys, and its prekey must be signed by them.
    """
    hint = identity.username_hint
    if hint is not None and UserId.of(hint) != identity.user_id:
        raise InputRefused("identity.username_hint", "handle does not match identity")
    bundle = IdentityBundle.found_in(identity.signature)
    if bundle is not None and not _is_of(bundle, identity, verify):
        raise InputRefused("identity.signature", _REASON)


def _is_of(bundle: IdentityBundle, identity: PublicIdentity, verify: Verify) -> bool:
    return (
        bundle.user_id == identity.user_id
        and bundle.identity_sig_pub == identity.signing_public_key
        and bundle.identity_dh_pub == identity.encryption_public_key
        and verify(
            bundle.identity_sig_pub, prekey_message(bundle.signed_prekey_pub), bundle.signed_prekey_sig
        )
    )
