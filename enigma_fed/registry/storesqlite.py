"""A registry's store in SQLite: `registry.db` and `index.key` in a folder (docs/REGISTRY.md section 9).

What it acknowledges is on the disk: registrations of one turn of the loop share a transaction and its fsync.
Looking up is one point read on the loop.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import StoreDamaged, WireError, WriteFailed
from enigma_fed.base.registry_errors import Unavailable
from enigma_fed.registry import indexkey
from enigma_fed.registry.atrest import NONCE_BYTES, AtRest, is_sound
from enigma_fed.registry.blindindex import BlindIndex
from enigma_fed.registry.folder import RegistryFolder
from enigma_fed.registry.sledfolder import DATABASE
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
from enigma_fed.storage import sqlitefile
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.sqlite import Database, Work
from enigma_fed.storage.sqlitefile import Connection, Schema

_APPLICATION_ID: Final = 0x65665267
"""`efRg`."""
_TABLES: Final = (
    "CREATE TABLE mark (value BLOB NOT NULL) STRICT",
    # Rows in the order of their arrival, found by blindindex.py: a group of registrations writes few pages.
    "CREATE TABLE identity (id INTEGER PRIMARY KEY, blind BLOB NOT NULL, sealed BLOB NOT NULL) STRICT",
    (
        "CREATE TABLE change (blind BLOB NOT NULL, seq INTEGER NOT NULL, sealed BLOB NOT NULL,"
        " PRIMARY KEY (blind, seq)) STRICT, WITHOUT ROWID"
    ),
    "CREATE TABLE node (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE) STRICT",
)
SCHEMA: Final = Schema(_APPLICATION_ID, migrations=(_TABLES,))
_NODES: Final = "SELECT url FROM node ORDER BY id"
_COUNT: Final = "SELECT coalesce(max(id), 0) FROM identity"
"""No row is ever deleted."""
_FIND: Final = "SELECT sealed FROM identity WHERE id = ? AND blind = ?"
"""By both: after a commit that failed the index has a number that is another row's later."""
_HAS: Final = "SELECT 1 FROM identity WHERE id = ? AND blind = ?"
_REPLACE: Final = "UPDATE identity SET sealed = ? WHERE id = ?"
_ENTRIES: Final = "SELECT seq, sealed FROM change WHERE blind = ? ORDER BY seq"
_LENGTH: Final = "SELECT count(*), coalesce(sum(length(sealed)), 0) FROM change WHERE blind = ?"
_APPEND: Final = "INSERT INTO change (blind, seq, sealed) VALUES (?, ?, ?)"
_DECOY_BYTES: Final = 512
"""Of what is opened where nothing is found."""
_PAGE_BYTES: Final = 4096
_LARGE_BYTES: Final = 200_000_000
"""From which on a start takes more than a second or two, and says so."""

_log = logging.getLogger(__name__)


_New: TypeAlias = tuple[Record, bytes, bytes]
"""A registration, its blind index, and it sealed."""


Ask: TypeAlias = Callable[[str, tuple[object, ...]], tuple[Any, ...] | None]
"""Gives the first row of a question."""


class SqliteStore:
    """The contract of store.py over the database in one folder, for one process at a time.

    `most` handles and about `most_bytes` of disk are taken; changes of what is there go on beyond that.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most: int = registry_limits.IDENTITIES,
        most_bytes: int = registry_limits.STORE_BYTES,
        disk: Disk | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._folder = RegistryFolder(folder)
        self._path = folder / DATABASE
        self._database = Database(self._path, SCHEMA, disk=disk)
        self._disk = disk or Disk()
        self._random = random
        self._most = most
        self._most_bytes = most_bytes
        self._nodes: tuple[NodeUrl, ...] = ()
        self._rest = AtRest(bytes(32))
        self._index = BlindIndex()
        self._doubtful = False
        """Whether a commit failed: then the index may have what the table has not."""
        self._made = 0
        """The last row, once the newest registrations are committed."""
        self._decoy = b""

    def open(self) -> None:
        """Take the folder, make key and database at the first start, look through the file. Blocks.

        Raises ForeignStore, RegistryRunning, StoreDamaged (also when one of the two files is missing, or not
        the other's), StoreNewer, LooseModes, LockBusy, WriteFailed: then nothing was changed.
        """
        self._folder.take()
        try:
            key = indexkey.ready(
                self._folder.path, DATABASE, self._create, disk=self._disk, random=self._random
            )
            size = self._path.stat().st_size
            if size > _LARGE_BYTES:
                _log.info("looking through %s, %d MB", DATABASE, size // 10**6)
            self._look(key)
            self._database.open()
        except BaseException:
            self._folder.release()
            raise
        self._rest = AtRest(key)
        self._decoy = self._rest.seal(b"", bytes(_DECOY_BYTES), self._random(NONCE_BYTES))

    def _create(self, mark: bytes) -> None:
        """Write the empty database, its mark in it from the first instant."""
        marked = (*_TABLES, f"INSERT INTO mark (value) VALUES (x'{mark.hex()}')")  # noqa: S608 - digits
        sqlitefile.create(self._path, Schema(_APPLICATION_ID, migrations=(marked,)), disk=self._disk)

    def _look(self, key: bytes) -> None:
        """Whose database it is, which row each handle has, the nodes; raises what sqlitefile.check raises."""
        self._index = BlindIndex()
        try:
            with sqlitefile.reading(self._path) as connection:
                found = connection.execute("SELECT value FROM mark").fetchone()
                indexkey.check_mark(self._folder.path, key, None if found is None else found[0])
                for row in connection.execute("SELECT id, blind FROM identity ORDER BY id"):
                    self._note(*row)
                self._nodes = _urls(connection.execute(_NODES).fetchmany(registry_limits.NODES_KEPT))
        except StoreDamaged:
            sqlitefile.check(self._path, SCHEMA, disk=self._disk)  # may know better what is wrong
            raise

    def _note(self, row: int, blind: object) -> None:
        """One row that is there at the start; none is ever deleted, a failed one's number is used again."""
        if row != self._index.entries + 1:
            raise StoreDamaged(f"{self._path}: rows are missing before row {row}", hint=sqlitefile.DAMAGED)
        if not isinstance(blind, bytes) or not is_sound(blind) or self._index.find(blind) is not None:
            what = f"{self._path}: the index of row {row} was changed by something else"
            raise StoreDamaged(what, hint=sqlitefile.DAMAGED)
        self._index.put(blind, row)

    def find(self, user: UserId) -> Record | None:
        """See RegistryStore."""
        blind = self._rest.blind(user)
        found = self._read(user, blind, self._database.row)
        if found is None:
            self._rest.open(b"", self._decoy)  # as long as it takes for one that is there
        return found

    def has(self, user: UserId) -> bool:
        """See RegistryStore."""
        blind = self._rest.blind(user)
        if not self._doubtful:
            return self._index.find(blind) is not None
        return self._database.row(_HAS, (self._number(blind), blind)) is not None

    def _number(self, blind: bytes) -> int:
        """The row that it would be in: somebody else's where there is none, for the same work."""
        return self._index.find(blind) or int.from_bytes(blind[-4:], "big") % (self._index.entries + 1)

    def _read(self, user: UserId, blind: bytes, ask: Ask) -> Record | None:
        """What the index and the table say."""
        row = ask(_FIND, (self._number(blind), blind))
        if row is None:
            return None
        try:
            return Record.decode(user, self._rest.open(blind, row[0]))
        except WireError as error:
            raise StoreDamaged(f"{DATABASE}: {error.detail}") from error

    async def register(self, record: Record) -> Registered:
        """See RegistryStore."""
        new = self._prepared(record)
        try:
            return await self._database.write_gathered(self._register, new)
        except WriteFailed:
            self._doubtful = True
            raise

    def _prepared(self, record: Record) -> _New:
        blind = self._rest.blind(record.user_id)
        clean = replace(record, changed=None, revoked=False)
        return clean, blind, self._sealed(blind, clean)

    def _register(self, new: Sequence[_New], connection: Connection) -> list[Registered]:
        """All of them by one statement, in the writer's thread; raises Unavailable, then none is made."""
        fresh: dict[bytes, Record] = {}
        values: list[int | bytes] = []
        told: list[Registered] = []
        [last] = connection.execute(_COUNT).fetchone()
        self._doubtful |= last < self._made  # whoever asked for those may have gone before they failed
        for record, blind, sealed in new:
            known = fresh.get(blind)
            if known is None and self._index.find(blind) is not None:
                known = self._read(record.user_id, blind, _asking(connection))
            told.append(Registered.CREATED if known is None else compared(known, record))
            if known is None:
                fresh[blind] = record
                values += (last + len(fresh), blind, sealed)
        if fresh:
            rows = ", ".join(["(?, ?, ?)"] * len(fresh))
            connection.execute(f"INSERT INTO identity (id, blind, sealed) VALUES {rows}", values)  # noqa: S608
            self._check_room(connection)
            for number, blind in enumerate(fresh, last + 1):
                self._index.put(blind, number)
        self._made = last + len(fresh)
        return told

    def _check_room(self, connection: Connection) -> None:
        """After new handles, in the writer's thread; what this raises undoes them."""
        [number] = connection.execute(_COUNT).fetchone()
        [pages] = connection.execute("PRAGMA page_count").fetchone()
        # The index, too: where commits fail again and again it has numbers of rows that were never made.
        if max(number, self._index.entries) > self._most or pages * _PAGE_BYTES > self._most_bytes:
            raise Unavailable(RETRY_WHEN_FULL)

    async def change(self, user: UserId, head: bytes, record: Record, entry: LogEntry) -> bool:
        """See RegistryStore."""
        return await self._database.write(partial(self._change, user, head, record, entry))

    def _change(
        self, user: UserId, head: bytes, record: Record, entry: LogEntry, connection: Connection
    ) -> bool:
        blind = self._rest.blind(user)
        known = self._read(user, blind, _asking(connection))
        if known is None or known.head != head:
            return False
        [number, size] = connection.execute(_LENGTH, (blind,)).fetchone()
        check_next(entry, max(1, number), size)
        for place, each in enumerate((entry,) if number else (known.first_entry(), entry), number):
            sealed = self._rest.seal(_place(blind, place), each.encode(), self._random(NONCE_BYTES))
            connection.execute(_APPEND, (blind, place, sealed))
        new = self._sealed(blind, replace(record, changed=entry.hash))
        connection.execute(_REPLACE, (new, self._index.find(blind)))
        return True

    async def merge(self, records: Sequence[Record]) -> int:
        """See RegistryStore."""
        new = [self._prepared(record) for record in records]
        try:
            return await self._database.write(partial(self._merge, new))
        except WriteFailed:
            self._doubtful = True
            raise

    def _merge(self, new: Sequence[_New], connection: Connection) -> int:
        return self._register(new, connection).count(Registered.CREATED)

    def log(self, user: UserId) -> tuple[LogEntry, ...]:
        """See RegistryStore."""
        known = self.find(user)
        if known is None:
            return ()
        if known.changed is None:
            return (known.first_entry(),)
        blind = self._rest.blind(user)
        rows = self._database.rows(_ENTRIES, (blind,), registry_limits.LOG_ENTRIES)
        try:
            found = tuple(
                LogEntry.decode(self._rest.open(_place(blind, seq), sealed)) for seq, sealed in rows
            )
        except WireError as error:
            raise StoreDamaged(f"a log in {DATABASE}: {error.detail}") from error
        if not found or found[-1].hash != known.changed:
            raise StoreDamaged(f"a log in {DATABASE} does not end with the newest change")
        return found

    def nodes(self) -> tuple[NodeUrl, ...]:
        """See RegistryStore."""
        return self._nodes

    async def add_nodes(self, urls: Sequence[NodeUrl], most: int) -> int:
        """See RegistryStore."""
        return await self._change_nodes(partial(_add_nodes, urls, min(most, registry_limits.NODES_KEPT)))

    async def drop_nodes(self, urls: Sequence[NodeUrl]) -> int:
        """See RegistryStore."""
        return await self._change_nodes(partial(_drop_nodes, urls))

    async def _change_nodes(self, work: Work[int]) -> int:
        try:
            return await self._database.write(work)
        finally:
            self._nodes = self._listed()

    def _listed(self) -> tuple[NodeUrl, ...]:
        return _urls(self._database.rows(_NODES, (), registry_limits.NODES_KEPT))

    @property
    def count(self) -> int:
        """See RegistryStore."""
        [number] = self._database.row(_COUNT) or (0,)
        return int(number)

    async def close(self) -> None:
        """See RegistryStore; the folder is free afterwards."""
        await self._database.close()
        self._folder.release()

    def _sealed(self, blind: bytes, record: Record) -> bytes:
        return self._rest.seal(blind, record.encode(), self._random(NONCE_BYTES))


def _asking(connection: Connection) -> Ask:
    """The first row of a question, in the writer's thread."""
    return lambda sql, parameters: connection.execute(sql, parameters).fetchone()


def _place(blind: bytes, number: int) -> bytes:
    """Where an entry of a log belongs."""
    return blind + number.to_bytes(4, "big")


def _urls(rows: Sequence[tuple[NodeUrl]]) -> tuple[NodeUrl, ...]:
    return tuple(url for (url,) in rows)


def _add_nodes(urls: Sequence[NodeUrl], most: int, connection: Connection) -> int:
    [before] = connection.execute("SELECT count(*) FROM node").fetchone()
    added = 0
    for url in urls:
        if before + added < most:
            inserted = connection.execute("INSERT INTO node (url) VALUES (?) ON CONFLICT DO NOTHING", (url,))
            added += inserted.rowcount
    return added


def _drop_nodes(urls: Sequence[NodeUrl], connection: Connection) -> int:
    return sum(connection.execute("DELETE FROM node WHERE url = ?", (url,)).rowcount for url in urls)
