"""Bodies and answers of the registry's versioned routes (docs/REGISTRY.md, "New routes")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self

import msgspec

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.ids import Did
from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.wire import canonicaljson
from enigma_fed.wire import registryobject as read
from enigma_fed.wire.ownerstatement import HASH_BYTES, SIGNATURE_BYTES, did_of, octets_of
from enigma_fed.wire.registrybodies import Presence
from enigma_fed.wire.registryreplies import reply
from enigma_fed.wire.userid import UserId

_ENCODE: Final = msgspec.json.Encoder().encode
_LABEL: Final = b"enigma-fed/registry/presence/v1\n"
_SIGNED: Final = frozenset({"user_id", "addr", "ts_ms", "registry", "signature"})
_VIEW: Final = frozenset({"addr", "ts_ms", "received_ms", "expires_ms", "signed"})
_FACTS: Final = frozenset({"did", "features", "limits"})


class SignedPresence(msgspec.Struct, frozen=True):
    """`POST /v1/announce`."""

    presence: Presence
    registry: Did
    """The one registry that it is for."""
    signature: bytes
    """By the registered signing key over `message`, 64 bytes; not checked here."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body of at most `ANNOUNCE_BYTES`; raises TooLarge, InputRefused."""
        found = read.members(read.body(data, registry_limits.ANNOUNCE_BYTES), "body", _SIGNED)
        ts_ms = read.integer(found, "ts_ms", most=limits.INTEGER_MAX)
        return cls(
            Presence.checked(read.text(found, "user_id"), read.text(found, "addr"), ts_ms),
            did_of(read.text(found, "registry"), "registry"),
            octets_of(found, "signature", "body", SIGNATURE_BYTES),
        )

    @property
    def message(self) -> bytes:
        """What is signed."""
        return presence_message(self.presence, self.registry)

    def encode(self) -> bytes:
        """The body."""
        return _ENCODE({**_members(self.presence, self.registry), "signature": self.signature.hex()})


def presence_message(presence: Presence, registry: Did) -> bytes:
    """What the signature of an announcement covers; its address is the trimmed one."""
    return _LABEL + canonicaljson.encode(_members(presence, registry))


def _members(presence: Presence, registry: Did) -> dict[str, object]:
    return {
        "user_id": presence.user.hex,
        "addr": presence.address,
        "ts_ms": presence.ts_ms,
        "registry": str(registry),
    }


class PresenceQuery(msgspec.Struct, frozen=True):
    """`POST /v1/presence`."""

    user: UserId

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body of at most `RESOLVE_BYTES`; raises TooLarge, InputRefused."""
        body = read.body(data, registry_limits.RESOLVE_BYTES)
        found = read.members(body, "body", frozenset({"user_id"}))
        return cls(UserId.parse(read.text(found, "user_id"), "user_id"))

    def encode(self) -> bytes:
        """The body."""
        return _ENCODE({"user_id": self.user.hex})


class PresenceView(msgspec.Struct, frozen=True):
    """Where somebody said to be; times in milliseconds since the epoch."""

    address: str
    ts_ms: int
    """The sender's clock."""
    received_ms: int
    """The registry's clock, as the next."""
    expires_ms: int
    signed: bool
    """Whether the registered key signed it."""

    def __repr__(self) -> str:
        return "PresenceView(…)"


def presence_found(view: PresenceView | None) -> bytes:
    """The answer to `/v1/presence`."""
    if view is None:
        return b'{"presence":null}'
    return _ENCODE(
        {
            "presence": {
                "addr": view.address,
                "ts_ms": view.ts_ms,
                "received_ms": view.received_ms,
                "expires_ms": view.expires_ms,
                "signed": view.signed,
            }
        }
    )


def read_presence(data: bytes) -> PresenceView | None:
    """Read it; raises WireError."""
    return reply(data, _presence)


def _presence(value: object) -> PresenceView | None:
    inside = read.members(value, "body", frozenset({"presence"}))["presence"]
    if inside is None:
        return None
    found = read.members(inside, "presence", _VIEW)
    return PresenceView(
        read.text(found, "addr", "presence"),
        read.integer(found, "ts_ms", "presence"),
        read.integer(found, "received_ms", "presence"),
        read.integer(found, "expires_ms", "presence"),
        read.boolean(found, "signed", "presence"),
    )


class RegistryFacts(msgspec.Struct, frozen=True):
    """The answer to `GET /v1/registry`; a later version may say more."""

    did: Did
    """Who statements and peers' requests are for."""
    features: tuple[str, ...]
    limits: Mapping[str, int]

    def to_json(self) -> bytes:
        """Compact JSON."""
        return _ENCODE({"did": str(self.did), "features": self.features, "limits": self.limits})


def read_facts(data: bytes) -> RegistryFacts:
    """Read it, other members ignored; raises WireError."""
    return reply(data, _facts)


def _facts(value: object) -> RegistryFacts:
    known = {name: value[name] for name in _FACTS & value.keys()} if isinstance(value, dict) else value
    found = read.members(known, "body", _FACTS)
    features, numbers = read.items(found, "features"), found["limits"]
    if not isinstance(numbers, dict) or not all(type(number) is int for number in numbers.values()):
        raise InputRefused("limits")
    return RegistryFacts(
        did_of(read.text(found, "did"), "did"),
        tuple(feature for feature in features if isinstance(feature, str)),
        numbers,
    )


def changed(seq: int, head: bytes) -> bytes:
    """The answer to `/v1/change`: number and hash of the entry that was written."""
    return _ENCODE({"seq": seq, "head": head.hex()})


def read_changed(data: bytes) -> tuple[int, bytes]:
    """Read it; raises WireError."""
    return reply(data, _changed)


def _changed(value: object) -> tuple[int, bytes]:
    found = read.members(value, "body", frozenset({"seq", "head"}))
    return read.integer(found, "seq"), octets_of(found, "head", "body", HASH_BYTES)


def announced(reannounce_after: int) -> bytes:
    """The answer to `/v1/announce`: seconds until the next one is due."""
    return _ENCODE({"ok": True, "reannounce_after": reannounce_after})


def read_announced(data: bytes) -> int:
    """Read it; raises WireError."""
    return reply(data, _announced)


def _announced(value: object) -> int:
    found = read.members(value, "body", frozenset({"ok", "reannounce_after"}))
    if not read.boolean(found, "ok"):
        raise InputRefused("ok")
    return read.integer(found, "reannounce_after")
