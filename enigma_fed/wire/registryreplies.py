"""Answers of a registry (docs/REGISTRY.md): exactly the members that clients expect, and read as strictly.

Reading raises WireError: an answer that breaks the format is the registry's fault, not the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Self, TypeVar

import msgspec

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.registry_errors import (
    CLASSES_BY_CODE,
    InputRefused,
    RateLimited,
    RegistryError,
    Unavailable,
    UnknownEnvelopeKey,
)
from enigma_fed.wire import registryobject as read
from enigma_fed.wire.envelope import KEY_BYTES, KID_BYTES, Envelope, EnvelopeForm
from enigma_fed.wire.registrybodies import NodesPayload, node_url
from enigma_fed.wire.userid import UserId

T = TypeVar("T")
OK: Final = b'{"ok":true}'
"""The answer to `/register` and `/announce`."""
_EXISTS: Final = (b'{"exists":false}', b'{"exists":true}')
_ENCODE: Final = msgspec.json.Encoder().encode
_CHALLENGE_MEMBERS: Final = frozenset({"challenge", "difficulty", "expires_ms"})
_KEY_MEMBERS: Final = frozenset({"kid_hex", "x25519_public_key_hex", "active"})
_NOT_AFTER: Final = "not_after_epoch_ms"
_DIFFICULTY_MAX: Final = 255
_ENVELOPE_KEY: Final = "envelope key"
"""What the message of an unknown or expired envelope key holds, and no other."""
_BY_STATUS: Final[Mapping[int, type[RegistryError]]] = MappingProxyType({429: RateLimited, 503: Unavailable})
"""What a proxy in front of a registry may answer in its place."""


class EnvelopePublicKey(msgspec.Struct, frozen=True):
    """One key of a registry, as it advertises it."""

    kid: bytes
    """8 bytes."""
    public_key: bytes
    """X25519, 32 bytes."""
    active: bool
    not_after_ms: int | None = None
    """Milliseconds since the epoch after which it is not used."""

    def to_json(self) -> bytes:
        """Compact JSON; the end stands there only if there is one."""
        return _ENCODE(self._members())

    def _members(self) -> dict[str, object]:
        members: dict[str, object] = {
            "kid_hex": self.kid.hex(),
            "x25519_public_key_hex": self.public_key.hex(),
            "active": self.active,
        }
        return members if self.not_after_ms is None else {**members, _NOT_AFTER: self.not_after_ms}

    @classmethod
    def from_object(cls, value: object) -> Self:
        """Read the members; raises InputRefused."""
        found = read.members(value, "body", _KEY_MEMBERS, frozenset({_NOT_AFTER}))
        return cls(
            read.hexadecimal(read.text(found, "kid_hex"), KID_BYTES, "kid_hex"),
            read.hexadecimal(read.text(found, "x25519_public_key_hex"), KEY_BYTES, "x25519_public_key_hex"),
            read.boolean(found, "active"),
            read.optional_integer(found, _NOT_AFTER),
        )


class PowChallenge(msgspec.Struct, frozen=True):
    """What a proof of work is asked for."""

    text: str
    """Of a registry of ours 32 lower-case hexadecimal digits."""
    difficulty: int
    """Leading zero bits."""
    expires_ms: int
    """Milliseconds since the epoch, the registry's clock."""

    def to_json(self) -> bytes:
        """Compact JSON; the end under both names, because one client knows only the second."""
        return _ENCODE(
            {
                "challenge": self.text,
                "difficulty": self.difficulty,
                "expires_ms": self.expires_ms,
                "_expires_ms": self.expires_ms,
            }
        )


class _ResolvedForm(msgspec.Struct, frozen=True):
    handle: str
    envelope: EnvelopeForm | None


def exists(is_known: bool) -> bytes:
    """The answer to `/check_user/{handle}`."""
    return _EXISTS[is_known]


def merged(count: int) -> bytes:
    """The answer to `/sync` and `POST /nodes`."""
    return b'{"merged":%d}' % count


def resolved(user: UserId, envelope: Envelope | None) -> bytes:
    """The answer to `/resolve`; the handle in lower case, whatever was sent."""
    return _ENCODE(_ResolvedForm(user.hex, None if envelope is None else envelope.form))


def nodes(urls: Sequence[str]) -> bytes:
    """The answer to `GET /nodes`."""
    return NodesPayload(tuple(urls)).encode()


def envelope_public_keys(keys: Sequence[EnvelopePublicKey]) -> bytes:
    """The answer to `/envelope_pubkeys`: a bare list."""
    return b"[%b]" % b",".join(key.to_json() for key in keys)


def error(refusal: RegistryError) -> bytes:
    """The error object."""
    members: dict[str, object] = {"code": refusal.registry_code, "message": refusal.message}
    if refusal.field is not None:
        members["details"] = {"field": refusal.field}
    return _ENCODE({"error": members})


def read_ok(data: bytes) -> None:
    """`{"ok":true}`; raises WireError."""
    if not reply(data, lambda value: read.boolean(_only(value, "ok"), "ok")):
        raise WireError("the registry's answer: ok is not true")


def read_exists(data: bytes) -> bool:
    """`{"exists":bool}`; raises WireError."""
    return reply(data, lambda value: read.boolean(_only(value, "exists"), "exists"))


def read_merged(data: bytes) -> int:
    """`{"merged":n}`; raises WireError."""
    return reply(data, lambda value: read.integer(_only(value, "merged"), "merged"))


def read_resolved(data: bytes) -> tuple[UserId, Envelope | None]:
    """The handle, of either case, and the envelope if there is one; raises WireError."""
    return reply(data, _resolved)


def read_nodes(data: bytes) -> tuple[str, ...]:
    """The URLs of `/nodes`, as many as a registry may keep; raises WireError."""
    return reply(data, _nodes)


def read_key(data: bytes) -> EnvelopePublicKey:
    """The answer to `/envelope_pubkey`; raises WireError."""
    return reply(data, EnvelopePublicKey.from_object)


def read_keys(data: bytes) -> tuple[EnvelopePublicKey, ...]:
    """The answer to `/envelope_pubkeys`; raises WireError."""
    return reply(data, _keys)


def read_challenge(data: bytes) -> PowChallenge:
    """The answer to `/pow/challenge`, other members ignored; raises WireError."""
    return reply(data, _challenge)


def read_error(status: int, data: bytes, retry_after: int | None = None) -> RegistryError:
    """The refusal that an answer of this HTTP status means; of any bytes, it never raises.

    Its message is the registry's own text for a person: bounded, to be printed as any text of a stranger.
    """
    code, message, field = "", f"HTTP status {status}", None
    try:
        said = _member(read.body(data, registry_limits.REGISTRY_REPLY_BYTES), "error")
        message = said if isinstance(said, str) else str(_member(said, "message"))
        code = str(_member(said, "code"))
        field = str(_member(_member(said, "details"), "field"))
    except (RegistryError, LookupError):
        pass  # a proxy's page, or a registry of the older kind: what was found so far says it
    kind = CLASSES_BY_CODE.get(code) or _BY_STATUS.get(status, RegistryError)
    if kind is InputRefused and _ENVELOPE_KEY in message.lower():
        kind = UnknownEnvelopeKey
    return kind.received(_shortened(message), None if field is None else _shortened(field), retry_after)


def _shortened(text: str) -> str:
    return text[: limits.ERROR_CHARACTERS]


def _member(value: object, name: str) -> object:
    if isinstance(value, dict) and name in value:
        return value[name]
    raise LookupError


def reply(data: bytes, take: Callable[[object], T]) -> T:
    """What `take` makes of an answer; its refusals become WireError."""
    try:
        most = registry_limits.REGISTRY_REPLY_BYTES
        return take(read.body(data, most, values=most))
    except RegistryError as refusal:
        raise WireError(f"the registry's answer: {refusal.field}") from None


def _only(value: object, name: str) -> read.Object:
    return read.members(value, "body", frozenset({name}))


def _resolved(value: object) -> tuple[UserId, Envelope | None]:
    found = read.members(value, "body", frozenset({"handle"}), frozenset({"envelope"}))
    sealed = found.get("envelope")
    user = UserId.parse(read.text(found, "handle"))
    return user, None if sealed is None else Envelope.from_object(sealed)


def _nodes(value: object) -> tuple[str, ...]:
    entries = read.items(_only(value, "nodes"), "nodes")
    return tuple(node_url(entry) for entry in entries)


def _keys(value: object) -> tuple[EnvelopePublicKey, ...]:
    if not isinstance(value, list):
        raise InputRefused("body")
    return tuple(EnvelopePublicKey.from_object(item) for item in value)


def _challenge(value: object) -> PowChallenge:
    known = (
        {name: value[name] for name in _CHALLENGE_MEMBERS & value.keys()}
        if isinstance(value, dict)
        else value
    )
    found = read.members(known, "body", _CHALLENGE_MEMBERS)
    return PowChallenge(
        read.text(found, "challenge"),
        read.integer(found, "difficulty", most=_DIFFICULTY_MAX),
        read.integer(found, "expires_ms"),
    )
