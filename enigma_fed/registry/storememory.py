"""A registry's store in memory: for tests and trials, gone with the process (`storage.kind = "memory"`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import Unavailable
from enigma_fed.registry.store import (
    RETRY_WHEN_FULL,
    LogEntry,
    NodeUrl,
    Record,
    Registered,
    UserId,
    check_next,
    compared,
)

_ROW_BYTES: Final = 1024
"""What a handle takes beside its identity, generously."""


class MemoryStore:
    """The contract of store.py; a registration is kept until the process ends."""

    def __init__(self, *, most_bytes: int = registry_limits.STORE_MEMORY_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._records: dict[UserId, Record] = {}
        self._logs: dict[UserId, list[LogEntry]] = {}
        self._nodes: dict[NodeUrl, None] = {}

    def open(self) -> None:
        """Nothing is to be done."""

    def find(self, user: UserId) -> Record | None:
        """See RegistryStore."""
        return self._records.get(user)

    def has(self, user: UserId) -> bool:
        """See RegistryStore."""
        return user in self._records

    async def register(self, record: Record) -> Registered:
        """See RegistryStore; raises Unavailable."""
        known = self._records.get(record.user_id)
        if known is not None:
            return compared(known, record)
        self._put(record)
        return Registered.CREATED

    async def change(self, user: UserId, head: bytes, record: Record, entry: LogEntry) -> bool:
        """See RegistryStore; raises IdentityConflict."""
        known = self._records.get(user)
        if known is None or known.head != head:
            return False
        log = list(self.log(user))
        check_next(entry, len(log), sum(len(each.encode()) for each in log))
        self._bytes += len(record.identity_bytes) - len(known.identity_bytes) + len(entry.encode())
        self._records[user] = replace(record, changed=entry.hash)
        self._logs[user] = [*log, entry]
        return True

    async def merge(self, records: Sequence[Record]) -> int:
        """See RegistryStore; raises Unavailable."""
        new = {record.user_id: record for record in reversed(records) if record.user_id not in self._records}
        self._check_room(sum(map(_size, new.values())))
        for record in new.values():
            self._put(record)
        return len(new)

    def log(self, user: UserId) -> tuple[LogEntry, ...]:
        """See RegistryStore."""
        known = self._records.get(user)
        if known is None:
            return ()
        return tuple(self._logs.get(user) or (known.first_entry(),))

    def nodes(self) -> tuple[NodeUrl, ...]:
        """See RegistryStore."""
        return tuple(self._nodes)

    async def add_nodes(self, urls: Sequence[NodeUrl], most: int) -> int:
        """See RegistryStore."""
        before = len(self._nodes)
        for url in urls:
            if len(self._nodes) < min(most, registry_limits.NODES_KEPT):
                self._nodes[url] = None
        return len(self._nodes) - before

    async def drop_nodes(self, urls: Sequence[NodeUrl]) -> int:
        """See RegistryStore."""
        known = [url for url in dict.fromkeys(urls) if url in self._nodes]
        for url in known:
            del self._nodes[url]
        return len(known)

    @property
    def count(self) -> int:
        """See RegistryStore."""
        return len(self._records)

    async def close(self) -> None:
        """Nothing is to be done."""

    def _put(self, record: Record) -> None:
        self._check_room(_size(record))
        self._bytes += _size(record)
        self._records[record.user_id] = replace(record, changed=None, revoked=False)

    def _check_room(self, more: int) -> None:
        if self._bytes + more > self._most_bytes:
            raise Unavailable(RETRY_WHEN_FULL)


def _size(record: Record) -> int:
    return len(record.identity_bytes) + _ROW_BYTES
