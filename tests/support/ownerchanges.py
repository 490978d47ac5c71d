"""Signed statements of the users of registryusers, and logs of them."""

from __future__ import annotations

from typing import Any, Final

from nacl.signing import SigningKey

from enigma_fed.base.ids import Did
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.ownerstatement import Action, ChangeRequest, Statement
from enigma_fed.wire.publicidentity import PublicIdentity
from tests.support.identities import did
from tests.support.registryusers import NOW_MS, User

REGISTRY: Final[Did] = did(9)
OTHER_KEY: Final = SigningKey(bytes([5]) * 32)


def updated(user: User) -> PublicIdentity:
    """The same keys, a time of its own."""
    return user.identity(created_at_ms=NOW_MS + 1)


def rotated(user: User, key: SigningKey = OTHER_KEY) -> PublicIdentity:
    """Another signing key, without a bundle."""
    return user.identity(signing_public_key=bytes(key.verify_key), signature=b"x")


def change(
    user: User,
    action: Action,
    new: PublicIdentity | None,
    previous: bytes,
    /,
    *,
    key: SigningKey | None = None,
    new_key: SigningKey | None = None,
    **said: Any,
) -> ChangeRequest:
    """What the owner sends: signed by `key`, for rotate by `new_key` too."""
    members: dict[str, Any] = {
        "action": action,
        "user": user.id,
        "registry": REGISTRY,
        "previous": previous,
        "created_ms": NOW_MS,
        "identity": None if new is None else new.digest,
    }
    statement = Statement(**(members | said))
    second = new_key or (OTHER_KEY if action is Action.ROTATE else None)
    return ChangeRequest(
        statement=statement,
        signature=(key or user.signing_key).sign(statement.message).signature,
        new_signature=None if second is None else second.sign(statement.message).signature,
        envelope=None if new is None else user.sealed(new.encode()),
    )


def log(user: User) -> list[LogEntry]:
    """Registered, updated, rotated, revoked."""
    entries = [LogEntry.registered(user.identity(), NOW_MS)]
    steps: list[tuple[Action, PublicIdentity | None, SigningKey | None]] = [
        (Action.UPDATE, updated(user), None),
        (Action.ROTATE, rotated(user), None),
        (Action.REVOKE, None, OTHER_KEY),
    ]
    for action, new, key in steps:
        request = change(user, action, new, entries[-1].hash, key=key)
        entries.append(LogEntry.following(entries[-1], request, NOW_MS + len(entries), new))
    return entries
