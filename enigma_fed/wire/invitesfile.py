"""invites.json: codes made here, codes accepted here (the outbox), joins that wait (docs/FILES.md).

Entries of the Rust agent read too: they carry no stage and no expiry, so their codes end a day
after they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from enigma_fed.base import limits
from enigma_fed.base.errors import InviteError, WireError
from enigma_fed.wire import fields, hexadecimal, invite, strictjson, timestamps
from enigma_fed.wire.nodesfile import TOKEN_HASH_BYTES, name_or_none
from enigma_fed.wire.records import (
    Ending,
    IncomingInvite,
    InvitesFile,
    OutgoingInvite,
    PendingJoin,
    Stage,
    TrustLevel,
)

T = TypeVar("T")


def encode(value: InvitesFile) -> Mapping[str, object]:
    """The members of the file."""
    return {
        "outgoing": [_outgoing_out(entry) for entry in value.outgoing],
        "incoming": [_incoming_out(entry) for entry in value.incoming],
        "pending": [_pending_out(entry) for entry in value.pending],
        "invalid": list(value.invalid),
    }


def decode(members: Mapping[str, object]) -> InvitesFile:
    """Read the members; raises WireError when the file as a whole makes no sense."""
    invalid = [fields.text({"invalid": item}, "invalid") for item in fields.items(members, "invalid")]
    return InvitesFile(
        outgoing=_entries(members, "outgoing", _outgoing_in, invalid, required=True),
        incoming=_entries(members, "incoming", _incoming_in, invalid, required=True),
        pending=_entries(members, "pending", _pending_in, invalid),
        invalid=tuple(invalid),
    )


def _entries(
    members: fields.Object,
    name: str,
    read: Callable[[fields.Object], T],
    invalid: list[str],
    *,
    required: bool = False,
) -> tuple[T, ...]:
    entries: list[T] = []
    for item in fields.items(members, name, required=required):
        try:
            entries.append(read(fields.mapping(item, name)))
        except (WireError, InviteError):
            invalid.append(strictjson.encode(item).decode("utf-8"))
    return tuple(entries)


def _outgoing_out(entry: OutgoingInvite) -> Mapping[str, object]:
    return {
        "code": entry.code,
        "did": str(entry.did),
        "onion": str(entry.onion),
        "pubkey": hexadecimal.encode(entry.did.public_key),
        "created_at": timestamps.to_text(entry.created_at),
        "accepted": entry.used_by is not None,
        "token_hash": hexadecimal.encode(entry.token_hash),
        "expires_at": timestamps.to_text(entry.expires_at),
        "scope": entry.scope.value,
        "for": None if entry.for_did is None else str(entry.for_did),
        "legacy": entry.legacy,
        "used_by": None if entry.used_by is None else str(entry.used_by),
        **_progress_out(entry),
    }


def _incoming_out(entry: IncomingInvite) -> Mapping[str, object]:
    return {
        "code": entry.code,
        "did": str(entry.did),
        "onion": str(entry.onion),
        "pubkey": hexadecimal.encode(entry.did.public_key),
        "created_at": timestamps.to_text(entry.created_at),
        "accepted": True,
        "name": entry.name,
        "token_hash": hexadecimal.encode(entry.token_hash),
        "expires_at": timestamps.to_text(entry.expires_at),
        "trust_level": entry.trust_level.value,
        "attempts": entry.attempts,
        "ended_by": None if entry.ended_by is None else entry.ended_by.value,
        **_progress_out(entry),
    }


def _progress_out(entry: OutgoingInvite | IncomingInvite) -> Mapping[str, object]:
    failed_at = entry.last_error_at
    return {
        "stage": entry.stage.value,
        "stage_at": timestamps.to_text(entry.stage_at),
        "last_error": entry.last_error,
        "last_error_at": None if failed_at is None else timestamps.to_text(failed_at),
    }


def _pending_out(entry: PendingJoin) -> Mapping[str, object]:
    return {
        "did": str(entry.did),
        "onion": str(entry.onion),
        "pubkey": hexadecimal.encode(entry.did.public_key),
        "name": entry.name,
        "token_hash": None if entry.token_hash is None else hexadecimal.encode(entry.token_hash),
        "scope": entry.scope.value,
        "received_at": timestamps.to_text(entry.received_at),
        "expires_at": timestamps.to_text(entry.expires_at),
        "late": entry.late,
    }


def _outgoing_in(members: fields.Object) -> OutgoingInvite:
    if "stage" not in members:
        return _outgoing_of_rust(members)
    return OutgoingInvite(
        code=fields.optional(fields.text, members, "code"),
        did=fields.identity(members),
        onion=fields.onion(members, "onion"),
        token_hash=fields.hexadecimals(members, "token_hash", TOKEN_HASH_BYTES),
        created_at=fields.time(members, "created_at"),
        expires_at=fields.time(members, "expires_at"),
        scope=fields.choice(TrustLevel, members, "scope"),
        stage=fields.choice(Stage, members, "stage"),
        stage_at=fields.time(members, "stage_at"),
        for_did=fields.optional(fields.did, members, "for"),
        legacy=fields.boolean(members, "legacy"),
        used_by=fields.optional(fields.did, members, "used_by"),
        last_error=fields.optional(fields.text, members, "last_error"),
        last_error_at=fields.optional(fields.time, members, "last_error_at"),
    )


def _incoming_in(members: fields.Object) -> IncomingInvite:
    if "stage" not in members:
        return _incoming_of_rust(members)
    return IncomingInvite(
        code=fields.optional(fields.text, members, "code"),
        did=fields.identity(members),
        onion=fields.onion(members, "onion"),
        name=name_or_none(members, "name"),
        token_hash=fields.hexadecimals(members, "token_hash", TOKEN_HASH_BYTES),
        created_at=fields.time(members, "created_at"),
        expires_at=fields.time(members, "expires_at"),
        trust_level=fields.choice(TrustLevel, members, "trust_level"),
        stage=fields.choice(Stage, members, "stage"),
        stage_at=fields.time(members, "stage_at"),
        attempts=fields.integer(members, "attempts"),
        ended_by=fields.optional(_ending, members, "ended_by"),
        last_error=fields.optional(fields.text, members, "last_error"),
        last_error_at=fields.optional(fields.time, members, "last_error_at"),
    )


def _pending_in(members: fields.Object) -> PendingJoin:
    received_at = fields.time(members, "received_at")
    expires_at = fields.optional(fields.time, members, "expires_at")
    latest = min(received_at + limits.AWAITING_AFTER_EXPIRY, timestamps.UNIX_MAX)
    return PendingJoin(
        did=fields.identity(members),
        onion=fields.onion(members, "onion"),
        name=name_or_none(members, "name"),
        token_hash=fields.optional(_token_hash, members, "token_hash"),
        scope=fields.choice(TrustLevel, members, "scope"),
        received_at=received_at,
        expires_at=latest if expires_at is None else expires_at,
        late=fields.boolean(members, "late"),
    )


def _token_hash(members: fields.Object, name: str) -> bytes:
    return fields.hexadecimals(members, name, TOKEN_HASH_BYTES)


def _ending(members: fields.Object, name: str) -> Ending:
    return fields.choice(Ending, members, name)


def _outgoing_of_rust(members: fields.Object) -> OutgoingInvite:
    said, created_at, expires_at = _said_to_rust(members)
    used = fields.boolean(members, "accepted")
    return OutgoingInvite(
        code=None if used else fields.text(members, "code"),
        did=said.did,
        onion=said.onion,
        token_hash=said.token_hash,
        created_at=created_at,
        expires_at=expires_at,
        scope=said.scope,
        stage=Stage.USED if used else Stage.CREATED,
        stage_at=created_at,
    )


def _incoming_of_rust(members: fields.Object) -> IncomingInvite:
    said, created_at, expires_at = _said_to_rust(members)
    return IncomingInvite(
        code=None,  # the Rust agent announced it once and does not retry; nor do we
        did=said.did,
        onion=said.onion,
        name=said.name,
        token_hash=said.token_hash,
        created_at=created_at,
        expires_at=expires_at,
        trust_level=TrustLevel.TRUSTED,
        stage=Stage.CONFIRMED_BOTH,
        stage_at=created_at,
    )


def _said_to_rust(members: fields.Object) -> tuple[invite.Invite, int, int]:
    """What the code of an entry of the Rust agent says, when the entry was made, and when it ends."""
    created_at = fields.time(members, "created_at")
    said = invite.decode(fields.text(members, "code"))
    return said, created_at, min(created_at + limits.INVITE_TTL_DEFAULT, timestamps.UNIX_MAX)
