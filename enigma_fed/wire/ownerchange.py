"""The log of an identity's changes: append-only, each entry bound to the one before (docs/REGISTRY.md)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Self

import msgspec

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import DidInvalid, WireError
from enigma_fed.base.ids import Did
from enigma_fed.base.registry_errors import InputRefused, RegistryError
from enigma_fed.wire import blake3hash
from enigma_fed.wire import registryobject as read
from enigma_fed.wire.ownerstatement import (
    HASH_BYTES,
    SIGNATURE_BYTES,
    Action,
    ChangeRequest,
    Statement,
    action_of,
    hex_or_none,
    octets_of,
    optional_octets,
)
from enigma_fed.wire.publicidentity import PublicIdentity, Verify
from enigma_fed.wire.userid import UserId

NO_ENTRY: Final = bytes(HASH_BYTES)
"""`previous` of the first entry."""
_LABEL: Final = b"enigma-fed/registry/log/v1\n"
_KEY_LABEL: Final = b"enigma-fed/registry/log-key/v1\n"


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members in the order of their names: compact, and all of it ASCII, this is the RFC 8785 form."""

    action: str
    at_ms: int
    created_ms: int | None
    identity: str | None
    new_signature: str | None
    previous: str
    registry: str | None
    seq: int
    signature: str | None
    signing_public_key: str
    user_id: str


_DID: Final = re.compile("did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}")
_DECODE: Final = msgspec.json.Decoder(_Form).decode
_ENCODE: Final = msgspec.json.Encoder().encode
_ENTRY: Final = frozenset(_Form.__struct_fields__)


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an identity, bound to the one before it."""

    seq: int
    """0 for the first."""
    action: Action
    at_ms: int
    """When the registry wrote it, its clock."""
    user: UserId
    signing_public_key: bytes
    """The key from now on, of any length; of revoke the last one."""
    identity: bytes | None
    """Digest of the identity from now on; None after revoke."""
    previous: bytes
    """Hash of the entry before, zeros for the first."""
    registry: str | None = None
    """Its DID as text, read by `statement`; a registry reads many entries and asks none of them."""
    created_ms: int | None = None
    signature: bytes | None = None
    new_signature: bytes | None = None

    @classmethod
    def registered(cls, identity: PublicIdentity, at_ms: int) -> Self:
        """The first one, which nobody signed."""
        return cls(
            seq=0,
            action=Action.REGISTER,
            at_ms=at_ms,
            user=identity.user_id,
            signing_public_key=identity.signing_public_key,
            identity=identity.digest,
            previous=NO_ENTRY,
        )

    @classmethod
    def following(
        cls, last: LogEntry, request: ChangeRequest, at_ms: int, new: PublicIdentity | None
    ) -> Self:
        """The one after `last`, for a request that `check_change` let through."""
        statement = request.statement
        return cls(
            seq=last.seq + 1,
            action=statement.action,
            at_ms=at_ms,
            user=statement.user,
            signing_public_key=last.signing_public_key if new is None else new.signing_public_key,
            identity=statement.identity,
            previous=statement.previous,
            registry=str(statement.registry),
            created_ms=statement.created_ms,
            signature=request.signature,
            new_signature=request.new_signature,
        )

    def is_of(self, request: ChangeRequest) -> bool:
        """Whether this very request made it: one that is sent again gets the same answer."""
        mine = (self.statement, self.signature, self.new_signature)
        return mine == (request.statement, request.signature, request.new_signature)

    @property
    def hash(self) -> bytes:
        """What the next entry and the next statement name as `previous`, 32 bytes."""
        return hashlib.blake2b(_LABEL + self.encode(), digest_size=HASH_BYTES).digest()

    @property
    def statement(self) -> Statement | None:
        """What its owner signed; None for the first entry, and where nobody can have signed it."""
        if self.registry is None or self.created_ms is None:
            return None
        try:
            registry = Did.parse(self.registry)
        except DidInvalid:
            return None
        return Statement(
            action=self.action,
            user=self.user,
            registry=registry,
            previous=self.previous,
            created_ms=self.created_ms,
            identity=self.identity,
        )

    def encode(self) -> bytes:
        """The RFC 8785 form."""
        return _ENCODE(
            _Form(
                self.action.value,
                self.at_ms,
                self.created_ms,
                hex_or_none(self.identity),
                hex_or_none(self.new_signature),
                self.previous.hex(),
                self.registry,
                self.seq,
                hex_or_none(self.signature),
                self.signing_public_key.hex(),
                self.user.hex,
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read an entry; raises WireError."""
        try:
            value = read.shortly(_DECODE, data)
            return cls._from_object(_body(data) if value is None else value)
        except RegistryError as refusal:
            raise _broken(refusal) from None

    @classmethod
    def _from_object(cls, value: object) -> Self:
        field = "entry"
        found = read.members(value, field, _ENTRY)
        return cls(
            seq=read.integer(found, "seq", field, most=limits.INTEGER_MAX),
            action=action_of(found, field),
            at_ms=read.integer(found, "at_ms", field, most=limits.INTEGER_MAX),
            user=UserId.parse(read.text(found, "user_id", field), "entry.user_id"),
            signing_public_key=octets_of(found, "signing_public_key", field),
            identity=optional_octets(found, "identity", field, HASH_BYTES),
            previous=octets_of(found, "previous", field, HASH_BYTES),
            registry=None if found["registry"] is None else _did_text(found),
            created_ms=read.optional_integer(found, "created_ms", field, most=limits.INTEGER_MAX),
            signature=optional_octets(found, "signature", field, SIGNATURE_BYTES),
            new_signature=optional_octets(found, "new_signature", field, SIGNATURE_BYTES),
        )

    def __repr__(self) -> str:
        return f"LogEntry({self.seq}, {self.action})"


def check_chain(entries: Sequence[LogEntry], verify: Verify) -> LogEntry:
    """The last entry of a log that holds from its first one on; raises WireError.

    Whoever keeps its hash sees later whether anything before was changed.
    """
    if not entries or entries[0] != _first_like(entries[0]):
        raise WireError("the log of changes does not begin with a registration")
    for before, entry in pairwise(entries):
        if not _follows(before, entry, verify):
            raise WireError(
                f"entry {before.seq + 1} of the log of changes does not follow from the one before"
            )
    if len({entry.registry for entry in entries[1:]}) > 1:
        raise WireError("the log of changes is of several registries")
    return entries[-1]


def _first_like(entry: LogEntry) -> LogEntry:
    """What a first entry with these facts is: nothing before it, and nobody's signature."""
    return LogEntry(
        seq=0,
        action=Action.REGISTER,
        at_ms=entry.at_ms,
        user=entry.user,
        signing_public_key=entry.signing_public_key,
        identity=entry.identity or NO_ENTRY,
        previous=NO_ENTRY,
    )


def _follows(before: LogEntry, entry: LogEntry, verify: Verify) -> bool:
    statement, signature = entry.statement, entry.signature
    if statement is None or signature is None or before.action is Action.REVOKE:
        return False
    rotates = entry.action is Action.ROTATE
    return (
        entry.action is not Action.REGISTER
        and (entry.seq, entry.user, entry.previous) == (before.seq + 1, before.user, before.hash)
        and (entry.identity is None) == (entry.action is Action.REVOKE)
        and (entry.signing_public_key != before.signing_public_key) == rotates
        and (entry.new_signature is not None) == rotates
        and verify(before.signing_public_key, statement.message, signature)
        and (
            entry.new_signature is None
            or verify(entry.signing_public_key, statement.message, entry.new_signature)
        )
    )


def encode_log(entries: Sequence[LogEntry]) -> bytes:
    """What the envelope of an answer to `/v1/log` holds."""
    return b'{"entries":[%b]}' % b",".join(entry.encode() for entry in entries)


def decode_log(data: bytes) -> tuple[LogEntry, ...]:
    """Read it; raises WireError. `check_chain` looks further."""
    try:
        found = read.members(_body(data), "body", frozenset({"entries"}))
        return tuple(LogEntry._from_object(item) for item in read.items(found, "entries"))
    except RegistryError as refusal:
        raise _broken(refusal) from None


def log_key(pepper: bytes, user: UserId, shared: bytes, kid: bytes, sender: bytes, requester: bytes) -> bytes:
    """The key of that envelope: bound to both public keys, which the key of an identity's envelope is not."""
    return blake3hash.digest(_KEY_LABEL + pepper + user.value + shared + kid + sender + requester)


def _did_text(found: read.Object) -> str:
    text = read.text(found, "registry", "entry")
    if _DID.fullmatch(text) is None:
        raise InputRefused("entry.registry")
    return text


def _body(data: bytes) -> object:
    return read.body(data, registry_limits.LOG_BYTES, values=registry_limits.LOG_BYTES)


def _broken(refusal: RegistryError) -> WireError:
    return WireError(f"the log of changes: {refusal.field}")
