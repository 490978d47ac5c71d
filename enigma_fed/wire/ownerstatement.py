"""What an owner says of a registered identity (docs/REGISTRY.md, "Owner changes").

A statement names the registry and the last entry of the log: it is good once, and nowhere else. The signed
bytes are a label and the RFC 8785 form of the members.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Self

import msgspec

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import DidInvalid
from enigma_fed.base.ids import Did
from enigma_fed.base.registry_errors import InputRefused, Unauthorized
from enigma_fed.wire import canonicaljson, publicidentity
from enigma_fed.wire import registryobject as read
from enigma_fed.wire.envelope import Envelope
from enigma_fed.wire.publicidentity import PublicIdentity, Verify
from enigma_fed.wire.userid import UserId

HASH_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_LABEL: Final = b"enigma-fed/registry/change/v1\n"
_STATEMENT: Final = frozenset({"action", "user_id", "registry", "previous", "created_ms", "identity"})
_REQUEST: Final = frozenset({"statement", "signature"})
_REQUEST_OPTIONAL: Final = frozenset({"new_signature", "envelope"})


class Action(StrEnum):
    """What was done."""

    REGISTER = "register"
    UPDATE = "update"
    """Another identity under the same signing key."""
    ROTATE = "rotate"
    """Another signing key; both keys sign."""
    REVOKE = "revoke"
    """The end: the handle stays taken and resolves to nobody."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner wants done."""

    action: Action
    user: UserId
    registry: Did
    """The one registry that it is for."""
    previous: bytes
    """Hash of the last entry of the log there, 32 bytes."""
    created_ms: int
    """Its owner's clock, milliseconds since the epoch."""
    identity: bytes | None
    """Digest of the new identity, 32 bytes; None for revoke."""

    @property
    def message(self) -> bytes:
        """What is signed."""
        return _LABEL + canonicaljson.encode(self.to_object())

    def to_object(self) -> Mapping[str, object]:
        """The members as plain values."""
        return {
            "action": self.action.value,
            "user_id": self.user.hex,
            "registry": str(self.registry),
            "previous": self.previous.hex(),
            "created_ms": self.created_ms,
            "identity": hex_or_none(self.identity),
        }

    @classmethod
    def from_object(cls, value: object) -> Self:
        """Read the members; raises InputRefused that names one of them."""
        field = "statement"
        found = read.members(value, field, _STATEMENT)
        action = action_of(found, field)
        identity = optional_octets(found, "identity", field, HASH_BYTES)
        if (identity is None) != (action is Action.REVOKE):
            raise InputRefused("statement.identity")
        return cls(
            action=action,
            user=UserId.parse(read.text(found, "user_id", field), "statement.user_id"),
            registry=did_of(read.text(found, "registry", field), "statement.registry"),
            previous=octets_of(found, "previous", field, HASH_BYTES),
            created_ms=read.integer(found, "created_ms", field, most=limits.INTEGER_MAX),
            identity=identity,
        )


class ChangeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /v1/change`."""

    statement: Statement
    signature: bytes
    """By the registered signing key over the statement's message, 64 bytes."""
    new_signature: bytes | None = None
    """By the new signing key, for rotate."""
    envelope: Envelope | None = None
    """The new identity, sealed as for `/register`; None for revoke."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a body of at most `CHANGE_BYTES`; raises TooLarge, InputRefused."""
        body = read.body(data, registry_limits.CHANGE_BYTES)
        found = read.members(body, "body", _REQUEST, _REQUEST_OPTIONAL)
        statement = Statement.from_object(found["statement"])
        if statement.action is Action.REGISTER:
            raise InputRefused("statement.action")
        new_signature = optional_octets(found, "new_signature", "body", SIGNATURE_BYTES)
        if (new_signature is None) != (statement.action is not Action.ROTATE):
            raise InputRefused("new_signature")
        sealed = found.get("envelope")
        if (sealed is None) != (statement.action is Action.REVOKE):
            raise InputRefused("envelope")
        return cls(
            statement=statement,
            signature=octets_of(found, "signature", "body", SIGNATURE_BYTES),
            new_signature=new_signature,
            envelope=None if sealed is None else Envelope.from_object(sealed),
        )

    def encode(self) -> bytes:
        """The body."""
        return msgspec.json.encode(
            {
                "statement": self.statement.to_object(),
                "signature": self.signature.hex(),
                "new_signature": hex_or_none(self.new_signature),
                "envelope": None if self.envelope is None else msgspec.Raw(self.envelope.to_json()),
            }
        )


def check_change(
    request: ChangeRequest,
    registered: PublicIdentity,
    new: PublicIdentity | None,
    *,
    registry: Did,
    now_ms: int,
    verify: Verify,
) -> None:
    """Refuse what the owner of `registered` did not want here and now; raises InputRefused, Unauthorized.

    `new` is what the envelope holds. Whether `previous` is the last entry is decided where it is written.
    """
    statement = request.statement
    if statement.registry != registry:
        raise InputRefused("statement.registry")
    if abs(now_ms - statement.created_ms) > registry_limits.CHANGE_WINDOW * 1000:
        raise InputRefused("statement.created_ms")
    if statement.user != registered.user_id:
        raise InputRefused("statement.user_id")
    if statement.identity != (None if new is None else new.digest):
        raise InputRefused("statement.identity")
    if not verify(registered.signing_public_key, statement.message, request.signature):
        raise Unauthorized
    if new is not None:
        _check_new(request, registered, new, verify)


def _check_new(
    request: ChangeRequest, registered: PublicIdentity, new: PublicIdentity, verify: Verify
) -> None:
    if new.user_id != registered.user_id:
        raise InputRefused("identity.user_id", "handle does not match identity")
    same_key = new.signing_public_key == registered.signing_public_key
    if same_key != (request.statement.action is Action.UPDATE):
        raise InputRefused("identity.signing_public_key")
    if request.new_signature is not None and not verify(
        new.signing_public_key, request.statement.message, request.new_signature
    ):
        raise Unauthorized
    publicidentity.check(new, verify)


def action_of(found: read.Object, field: str) -> Action:
    """The member `action`; raises InputRefused."""
    try:
        return Action(read.text(found, "action", field))
    except ValueError:
        raise InputRefused(read.within(field, "action")) from None


def did_of(text: str, field: str) -> Did:
    """A DID; raises InputRefused."""
    try:
        return Did.parse(text)
    except DidInvalid:
        raise InputRefused(field) from None


def octets_of(found: read.Object, name: str, field: str, size: int | None = None) -> bytes:
    """A member of hexadecimal digits, `size` bytes; raises InputRefused."""
    digits = read.text(found, name, field)
    return read.hexadecimal(digits, len(digits) // 2 if size is None else size, read.within(field, name))


def optional_octets(found: read.Object, name: str, field: str, size: int) -> bytes | None:
    """The same; None for a member that is absent or null."""
    return None if found.get(name) is None else octets_of(found, name, field, size)


def hex_or_none(data: bytes | None) -> str | None:
    """Lower-case digits; null stays null."""
    return None if data is None else data.hex()
