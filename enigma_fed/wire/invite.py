"""Invite codes: `fed1:` and the base64url of a signed JSON object (PROTOCOL section 4)."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from typing import Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import InviteMalformed, InviteTooLarge, WireError
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.wire import base64url, canonicaljson, fields, hexadecimal, strictjson, timestamps
from enigma_fed.wire.records import TrustLevel

PREFIX: Final = "fed1:"
TOKEN_BYTES: Final = 16
_LABEL: Final = b"enigma-fed/invite/v1\n"
_VERSION: Final = 1
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_ENCODED_CHARACTERS: Final = (limits.INVITE_BYTES * 4 + 2) // 3


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """What a code says. Its signature is not checked yet: `identity.signing.verify` over `signed_bytes`."""

    did: Did
    onion: OnionAddress
    token: bytes
    """16 bytes, secret."""
    scope: TrustLevel
    """What the joiner will get at the inviter."""
    name: str | None = None
    issued_at: int | None = None
    expires_at: int | None = None
    lan: tuple[str, ...] = ()
    for_did: Did | None = None
    """The only node that may join with it."""
    signature: bytes | None = None
    """Ed25519, 64 bytes; None for an unsigned code."""
    signed_bytes: bytes = b""
    """The message under the signature, its label included."""

    @property
    def token_hash(self) -> bytes:
        """SHA-256 of the token: what is stored and compared."""
        return hash_token(self.token)

    @property
    def id(self) -> str:
        """First 8 hex digits of the token's hash."""
        return self.token_hash.hex()[:8]

    def __repr__(self) -> str:
        return f"Invite({self.id} from {self.did.short})"


class InviteDraft(msgspec.Struct, frozen=True):
    """A code that waits for its signature."""

    members: dict[str, object]

    @property
    def signing_input(self) -> bytes:
        """The message to sign with the node key."""
        return signing_input(self.members)

    def seal(self, signature: bytes) -> str:
        """The code, with the signature (64 bytes) in it."""
        return PREFIX + base64url.encode(
            strictjson.encode({**self.members, "sig": base64url.encode(signature)})
        )

    def __repr__(self) -> str:
        return "InviteDraft()"


def hash_token(token: bytes) -> bytes:
    """SHA-256 of a token's bytes."""
    return hashlib.sha256(token).digest()


def draft(
    did: Did,
    onion: OnionAddress,
    token: bytes,
    scope: TrustLevel,
    issued_at: int,
    expires_at: int,
    name: str | None,
    for_did: Did | None = None,
) -> InviteDraft:
    """An invite of this node; times are Unix seconds, `token` is 16 fresh random bytes.

    `for_did` is the only node that may join with it, None for whoever comes first.
    """
    members: dict[str, object] = {
        "did": str(did),
        "onion": str(onion),
        "pubkey": hexadecimal.encode(did.public_key),
        "token": hexadecimal.encode(token),
        "v": _VERSION,
        "iat": issued_at,
        "exp": expires_at,
        "scope": scope.value,
    }
    if name is not None:
        members["name"] = name
    if for_did is not None:
        members["for"] = str(for_did)
    return InviteDraft(members)


def signing_input(members: fields.Object) -> bytes:
    """The label and the RFC 8785 form of all members but `sig`."""
    return _LABEL + canonicaljson.encode({key: value for key, value in members.items() if key != "sig"})


def decode(code: str) -> Invite:
    """Read a code; raises InviteTooLarge, or InviteMalformed naming the field.

    White space around the code is dropped. Whether it is signed, expired or ours is the caller's.
    """
    encoded = code.strip()
    if not encoded.startswith(PREFIX):
        raise InviteMalformed(f"it must start with {PREFIX}", hint="Copy the whole code and nothing else.")
    encoded = encoded.removeprefix(PREFIX)
    if len(encoded) > _ENCODED_CHARACTERS:
        raise InviteTooLarge(f"more than {limits.INVITE_BYTES} bytes")
    try:
        members = _members(base64url.decode(encoded))
        return _invite(members)
    except WireError as error:
        raise InviteMalformed(error.detail, hint="Copy the whole code, or ask for a new one.") from None


def _members(data: bytes) -> fields.Object:
    members = fields.mapping(strictjson.decode(data, limit=limits.INVITE_BYTES), "code")
    for name, value in members.items():
        _refuse_fractions(name, value)
    return members


def _refuse_fractions(name: str, value: object) -> None:
    if isinstance(value, float):
        raise WireError(f"{name}: only plain integers are allowed")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        _refuse_fractions(name, item)


def _invite(members: fields.Object) -> Invite:
    signature = fields.optional(_signature, members, "sig")
    issued_at, expires_at = _times(members, signed=signature is not None)
    return Invite(
        did=fields.identity(members),
        onion=fields.onion(members, "onion"),
        token=fields.hexadecimals(members, "token", TOKEN_BYTES),
        scope=_scope(members),
        name=fields.optional(fields.node_name, members, "name"),
        issued_at=issued_at,
        expires_at=expires_at,
        lan=tuple(_address(item) for item in _lan(members)),
        for_did=fields.optional(fields.did, members, "for"),
        signature=signature,
        signed_bytes=signing_input(members),
    )


def _signature(members: fields.Object, name: str) -> bytes:
    signature = fields.named(name, base64url.decode, fields.text(members, name))
    if len(signature) != 64:
        raise WireError(f"{name}: not 64 bytes")
    return signature


def _times(members: fields.Object, *, signed: bool) -> tuple[int | None, int | None]:
    """`iat` and `exp`; a signed code has both, and `v`."""
    if (signed or "v" in members) and fields.integer(members, "v") != _VERSION:
        raise WireError("v: a version that this program does not know")
    issued_at, expires_at = (_time(members, name, required=signed) for name in ("iat", "exp"))
    if issued_at is not None and expires_at is not None and expires_at <= issued_at:
        raise WireError("exp: not after iat")
    return issued_at, expires_at


def _time(members: fields.Object, name: str, *, required: bool) -> int | None:
    if name not in members and not required:
        return None
    return fields.integer(members, name, most=timestamps.UNIX_MAX)


def _scope(members: fields.Object) -> TrustLevel:
    if "scope" not in members:
        return TrustLevel.OBSERVER
    scope = fields.choice(TrustLevel, members, "scope")
    if scope is TrustLevel.UNTRUSTED:
        raise WireError("scope: not one of observer, trusted")
    return scope


def _lan(members: fields.Object) -> list[object]:
    addresses = fields.items(members, "lan")
    if len(addresses) > limits.LAN_ADDRESSES:
        raise WireError(f"lan: more than {limits.LAN_ADDRESSES} addresses")
    return addresses


def _address(item: object) -> str:
    if not isinstance(item, str):
        raise WireError("lan: not text")
    host, _, port = item.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise WireError("lan: not an address with a port") from None
    form = f"[{address}]" if address.version == 6 else str(address)
    if form != host or _PORT.fullmatch(port) is None or int(port) > 65535:
        raise WireError("lan: not an address with a port")
    return item
