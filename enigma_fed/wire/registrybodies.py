"""Bodies of requests to a registry (docs/REGISTRY.md): read strictly, written as today's clients do."""

from __future__ import annotations

from typing import Final, Self

import msgspec

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import InputRefused, TooLarge
from enigma_fed.wire import registryobject as read
from enigma_fed.wire.envelope import KEY_BYTES, Envelope, EnvelopeForm
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.userid import UserId

_ENCODE: Final = msgspec.json.Encoder().encode
_SCHEMES: Final = ("http://", "https://")
_REQUESTER: Final = "requester_ephemeral_pubkey_hex"


class _RegisterForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    handle: str
    envelope: EnvelopeForm


class _ResolveForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    handle: str
    requester_ephemeral_pubkey_hex: str


class _PresenceForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user_id: str
    addr: str
    ts_ms: int


_REGISTER: Final = msgspec.json.Decoder(_RegisterForm).decode
_RESOLVE: Final = msgspec.json.Decoder(_ResolveForm).decode
_PRESENCE: Final = msgspec.json.Decoder(_PresenceForm).decode
_REGISTER_MEMBERS: Final = frozenset(_RegisterForm.__struct_fields__)
_RESOLVE_MEMBERS: Final = frozenset(_ResolveForm.__struct_fields__)
_PRESENCE_MEMBERS: Final = frozenset(_PresenceForm.__struct_fields__)


class RegisterRequest(msgspec.Struct, frozen=True):
    """`POST /register`."""

    user: UserId
    envelope: Envelope

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body of at most `REGISTER_BYTES`; raises TooLarge, InputRefused."""
        if len(data) > registry_limits.REGISTER_BYTES:
            raise TooLarge
        form = read.compact(_REGISTER, data)
        if form is None:
            found = read.members(read.body(data, registry_limits.REGISTER_BYTES), "body", _REGISTER_MEMBERS)
            return cls(UserId.parse(read.text(found, "handle")), Envelope.from_object(found["envelope"]))
        return cls(UserId.parse(form.handle), Envelope.from_form(form.envelope))

    def encode(self) -> bytes:
        """The body."""
        return _ENCODE(_RegisterForm(self.user.hex, self.envelope.form))


class ResolveRequest(msgspec.Struct, frozen=True):
    """`POST /resolve`."""

    user: UserId
    public_key: bytes
    """The requester's ephemeral X25519 key, 32 bytes."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body of at most `RESOLVE_BYTES`; raises TooLarge, InputRefused."""
        if len(data) > registry_limits.RESOLVE_BYTES:
            raise TooLarge
        form = read.compact(_RESOLVE, data)
        if form is not None:
            handle, requester = form.handle, form.requester_ephemeral_pubkey_hex
        else:
            found = read.members(read.body(data, registry_limits.RESOLVE_BYTES), "body", _RESOLVE_MEMBERS)
            handle, requester = read.text(found, "handle"), read.text(found, _REQUESTER)
        return cls(UserId.parse(handle), read.hexadecimal(requester, KEY_BYTES, _REQUESTER))

    def encode(self) -> bytes:
        """The body."""
        return _ENCODE(_ResolveForm(self.user.hex, self.public_key.hex()))


class Presence(msgspec.Struct, frozen=True):
    """`POST /announce`."""

    user: UserId
    address: str
    """Free text, trimmed: clients send a URL, a host and port, or the word `local`."""
    ts_ms: int
    """Its sender's clock, not 0: milliseconds since the epoch."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body of at most `ANNOUNCE_BYTES`; raises TooLarge, InputRefused."""
        if len(data) > registry_limits.ANNOUNCE_BYTES:
            raise TooLarge
        form = read.compact(_PRESENCE, data)
        if form is not None:
            return cls.checked(form.user_id, form.addr, form.ts_ms)
        found = read.members(read.body(data, registry_limits.ANNOUNCE_BYTES), "body", _PRESENCE_MEMBERS)
        return cls.checked(
            read.text(found, "user_id"), read.text(found, "addr"), read.integer(found, "ts_ms")
        )

    @classmethod
    def checked(cls, user_id: str, address: str, ts_ms: int) -> Self:
        """One of the texts of its members; raises InputRefused."""
        user, trimmed = UserId.parse(user_id, "user_id"), address.strip()
        if not trimmed or len(address.encode("utf-8")) > registry_limits.ADDRESS_BYTES:
            raise InputRefused("addr", "presence")
        if not 0 < ts_ms <= read.UNSIGNED_64:
            raise InputRefused("ts_ms", "presence")
        return cls(user, trimmed, ts_ms)

    def encode(self) -> bytes:
        """The body."""
        return _ENCODE(_PresenceForm(self.user.hex, self.address, self.ts_ms))

    def __repr__(self) -> str:
        return "Presence(…)"  # where somebody is stands in no log and no traceback


class SyncRequest(msgspec.Struct, frozen=True):
    """`POST /sync`."""

    identities: tuple[PublicIdentity, ...]
    """Those that keep the rules of an identity; `publicidentity.check` is still to be done."""
    skipped: int = 0
    """How many did not."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body of at most `SYNC_BYTES`; raises TooLarge, InputRefused."""
        found = read.members(
            read.body(data, registry_limits.SYNC_BYTES, values=registry_limits.SYNC_BYTES),
            "body",
            frozenset({"identities"}),
        )
        listed = read.items(found, "identities")
        if len(listed) > registry_limits.SYNC_IDENTITIES:
            raise InputRefused("identities")
        all_of_them = [PublicIdentity.structure(item, "identities") for item in listed]
        kept = tuple(identity for identity in all_of_them if identity.keeps_rules)
        return cls(kept, len(listed) - len(kept))

    def encode(self) -> bytes:
        """The body."""
        return b'{"identities":[%b]}' % b",".join(identity.encode() for identity in self.identities)


class NodesPayload(msgspec.Struct, frozen=True):
    """`POST /nodes`, and the answer to `GET /nodes`."""

    urls: tuple[str, ...]
    """Trimmed, not normalised any further."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body of at most `NODES_BYTES`; raises TooLarge, InputRefused. One bad entry is enough."""
        found = read.members(read.body(data, registry_limits.NODES_BYTES), "body", frozenset({"nodes"}))
        listed = read.items(found, "nodes")
        if len(listed) > registry_limits.NODES_IN_A_BODY:
            raise InputRefused("nodes", "node")
        return cls(tuple(node_url(item) for item in listed))

    def encode(self) -> bytes:
        """The body."""
        return _ENCODE({"nodes": [{"base_url": url} for url in self.urls]})


def node_url(item: object) -> str:
    """The trimmed URL of one entry; raises InputRefused."""
    found = read.members(item, "nodes", frozenset({"base_url"}))
    url = read.text(found, "base_url", "nodes")
    trimmed = url.strip()
    if len(url.encode("utf-8")) > registry_limits.NODE_URL_BYTES or not trimmed.startswith(_SCHEMES):
        raise InputRefused("nodes.base_url", "node")
    return trimmed
