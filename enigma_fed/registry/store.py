"""What a registry keeps, whatever it keeps it in: identities, the logs of their changes, the list of nodes.

`storememory.py` forgets with the process, `storesqlite.py` survives power cuts; one test of the contract runs
over both (docs/REGISTRY.md section 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import IdentityConflict
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.ownerstatement import Action
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registryrecord import Record
from enigma_fed.wire.userid import UserId

__all__ = [
    "RETRY_WHEN_FULL",
    "LogEntry",
    "NodeUrl",
    "Record",
    "Registered",
    "RegistryStore",
    "UserId",
    "check_next",
    "compared",
]

RETRY_WHEN_FULL: Final = 3600
"""Seconds: a full store is looked after by a person."""
NodeUrl: TypeAlias = str
"""A node's base URL, normalised (noderules.py)."""


class Registered(StrEnum):
    """What became of a registration."""

    CREATED = "created"
    SAME = "same"
    """This identity is registered already, its time apart, and is not revoked: nothing was changed."""
    CONFLICT = "conflict"
    """The handle is taken by another identity, or by one that was revoked."""


class RegistryStore(Protocol):
    """Open it, use it from one loop, close it."""

    def open(self) -> None:
        """Make it ready; blocks. Raises what the kind of store documents."""

    def find(self, user: UserId) -> Record | None:
        """What is known of a handle, revoked ones included; at once, and the same work if it is not there.

        Raises StoreDamaged, LockBusy.
        """

    def has(self, user: UserId) -> bool:
        """Whether a handle is taken, by a revoked identity too; at once. Raises StoreDamaged, LockBusy."""

    async def register(self, record: Record) -> Registered:
        """Take a handle, unless it is taken. What is CREATED is kept when this returns.

        Raises Unavailable when the store is as full as it may get, TryLater, WriteFailed, StoreDamaged.
        """

    async def change(self, user: UserId, head: bytes, record: Record, entry: LogEntry) -> bool:
        """Put `record` in place and `entry` at the end of its log, both or neither.

        False, and nothing done: it is not there, or `head` is no longer the hash of its log's newest entry.
        What `record` says of `changed` is not looked at: it becomes the hash of `entry`. Raises
        IdentityConflict when the log is full (a revocation still fits), and what `register` raises.
        """

    async def merge(self, records: Sequence[Record]) -> int:
        """Register those whose handle is free, the first of each: how many. Raises what `register` raises.

        Either all of them are kept when this returns, or none.
        """

    def log(self, user: UserId) -> tuple[LogEntry, ...]:
        """Every change of a handle since its registration, the oldest first; empty: it is not there.

        Raises StoreDamaged, LockBusy.
        """

    def nodes(self) -> tuple[NodeUrl, ...]:
        """The list of nodes, in the order of their arrival."""

    async def add_nodes(self, urls: Sequence[NodeUrl], most: int) -> int:
        """Add those that are not there, until there are `most`: how many. Raises what `register` raises."""

    async def drop_nodes(self, urls: Sequence[NodeUrl]) -> int:
        """Take them off the list: how many were there. Raises what `register` raises."""

    @property
    def count(self) -> int:
        """How many handles are taken."""

    async def close(self) -> None:
        """Finish what is being written and let go."""


def check_next(entry: LogEntry, entries: int, size: int) -> None:
    """Raise IdentityConflict if `entry` has no place behind others of `size` bytes: the last is to revoke."""
    full = entries >= registry_limits.LOG_ENTRIES - 1 or size >= registry_limits.LOG_KEPT_BYTES
    if full and entry.action is not Action.REVOKE:
        raise IdentityConflict


def compared(known: Record, offered: Record) -> Registered:
    """SAME or CONFLICT: what a registration is of a handle that is taken.

    An identity that differs in its time alone is the same: some clients write a new time at each start.
    """
    if known.revoked:
        return Registered.CONFLICT
    if known.identity_bytes == offered.identity_bytes:
        return Registered.SAME
    ours, theirs = (PublicIdentity.decode(each.identity_bytes) for each in (known, offered))
    return Registered.SAME if ours.says_the_same(theirs) else Registered.CONFLICT
