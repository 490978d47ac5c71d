"""A SQLite file of this node: made, recognised, brought up to date, set aside when it is damaged.

Everything here blocks. Who may write to the file is decided above: docs/ARCHITECTURE.md, "One writer".
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote

from enigma_fed.base import limits
from enigma_fed.base.errors import Conflict, EnigmaError, LockBusy, StoreDamaged, StoreNewer, WriteFailed
from enigma_fed.storage import modes
from enigma_fed.storage.disk import Disk

Connection: TypeAlias = sqlite3.Connection
FAULTS: Final = (sqlite3.Error, UnicodeDecodeError)
"""What reading raises: of a garbled file, SQLite's own message need not be text."""

_MAGIC: Final = b"SQLite format 3\x00"
_HEADER_BYTES: Final = 100
_VERSION_AT: Final = slice(60, 64)
_APPLICATION_AT: Final = slice(68, 72)
_WAL: Final = "-wal"
_SHM: Final = "-shm"
_NEWER: Final = (
    "Use the newer enigma-fed that wrote it. If none ever ran here, a disk damaged the file: move it away."
)
DAMAGED: Final = "Nothing was changed. Put a backup in its place; look for a failing disk."
"""What to do about a database that does not hold."""
_CANNOT_WRITE: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
    }
)
_IN_USE: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BROKEN: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Synchronous(StrEnum):
    """What an acknowledged change survives (SQLite's `synchronous`, in WAL mode)."""

    FULL = "FULL"
    """A power cut: the log is fsynced with each commit."""
    NORMAL = "NORMAL"
    """A kill of the process; a power cut takes the newest changes back, never half of one."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database holds, and how older ones become like that."""

    application_id: int
    """31 bits that tell our databases apart (SQLite's `application_id`)."""
    migrations: tuple[tuple[str, ...], ...]
    """The statements from each version to the next, the first from nothing; released ones never change."""

    @property
    def version(self) -> int:
        """The newest version (SQLite's `user_version`), from 1."""
        return len(self.migrations)


def create(path: Path, schema: Schema, *, disk: Disk | None = None) -> None:
    """Write an empty database (0600), durable on return; raises Conflict, LooseModes, WriteFailed.

    It appears whole under its name or not at all: an empty file is never one of ours.
    """
    disk = disk or Disk()
    disk.make_folder(path.parent)
    if disk.exists(_beside(path, _WAL)):  # would be taken for the newest changes of the new one
        raise Conflict(f"{_beside(path, _WAL)} exists", hint="Move it away.")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        memory.execute(f"PRAGMA application_id = {schema.application_id}")
        _migrate(memory, schema)
        image = memory.serialize()
    try:
        disk.create(path, image)
    except FileExistsError:
        raise Conflict(f"{path} exists") from None


def check(path: Path, schema: Schema, *, disk: Disk | None = None) -> None:
    """Look through the whole file without changing it.

    Raises FileNotFoundError, LooseModes, StoreDamaged, StoreNewer, LockBusy.
    """
    disk = disk or Disk()
    modes.check_folder(path.parent)
    for each in (path, _beside(path, _WAL), _beside(path, _SHM)):
        if each == path or disk.exists(each):
            modes.check_file(each, each.stat())
    try:
        header = disk.head(path, _HEADER_BYTES) or b""
    except OSError as error:
        raise StoreDamaged(f"{path} cannot be read: {error.strerror or error}", hint=DAMAGED) from error
    _check_header(path, header, schema)
    with reading(path) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > schema.version:  # only the log beside the file says so
            raise StoreNewer(f"{path} has version {version}", hint=_NEWER)
        [(found,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
    if found != "ok":
        raise StoreDamaged(f"{path}: {found.splitlines()[-1]}", hint=DAMAGED)


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A connection that changes nothing on the disk, while nobody writes.

    Without a log beside it the file is taken to stand still. What SQLite finds wrong, also inside, is raised
    as StoreDamaged or LockBusy.
    """
    how = "mode=ro" if _beside(path, _WAL).exists() else "mode=ro&immutable=1"
    try:
        with closing(_connect(path, how)) as connection:
            connection.execute("PRAGMA query_only = ON")
            yield connection
    except FAULTS as error:
        raise explained(path, error, writing=False) from error


def connect(path: Path, schema: Schema, synchronous: Synchronous) -> Connection:
    """A connection that may write, in WAL mode, after the migrations that were still due.

    `check` the file before. Raises WriteFailed, StoreDamaged, LockBusy.
    """
    try:
        connection = _connect(path, "mode=rw")
        try:
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise WriteFailed(f"{path}: this file system cannot hold it (no WAL)")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute("PRAGMA secure_delete = ON")  # what is deleted is gone from the disk
            connection.execute(f"PRAGMA journal_size_limit = {limits.DATABASE_LOG_BYTES}")
            if _migrate(connection, schema):
                # The version has to stand in the file itself: an older program looks nowhere else first.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except BaseException:
            connection.close()
            raise
    except FAULTS as error:
        raise explained(path, error, writing=True) from error
    return connection


def change(path: Path, schema: Schema, work: Callable[[Connection], object]) -> None:
    """Let `work` change the file in one transaction, durable on return, while nobody else has it open.

    `check` it before. Raises WriteFailed, StoreDamaged, LockBusy, and what `work` raises.
    """
    with closing(connect(path, schema, Synchronous.FULL)) as connection:
        try:
            with _transaction(connection):
                work(connection)
        except FAULTS as error:
            raise explained(path, error, writing=True) from error


def connect_reader(path: Path) -> Connection:
    """A second connection beside a writer's, for point reads that wait for nobody; raises StoreDamaged."""
    try:
        connection = _connect(path, "mode=rw", wait=0.0)
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise explained(path, error, writing=False) from error
    return connection


def set_aside(path: Path, now: float, *, disk: Disk | None = None) -> str:
    """Give a damaged database another name, durable on return: that name. Raises WriteFailed.

    The log beside it goes first: left alone it would be taken for the newest changes of the next file.
    Of several, the newest limits.DATABASES_SET_ASIDE stay.
    """
    disk = disk or Disk()
    prefix = f"{path.name}.damaged-"
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    taken = [name for name in disk.names(path.parent) if name.startswith(prefix)]
    files = sorted({entry.removesuffix(_WAL) for entry in taken})
    name = next(each for number in count() if (each := f"{prefix}{stamp}-{number}") not in files)
    try:
        for suffix in (_WAL, ""):
            if disk.exists(_beside(path, suffix)):
                disk.rename(_beside(path, suffix), path.with_name(name + suffix))
        with contextlib.suppress(FileNotFoundError):
            disk.unlink(_beside(path, _SHM))
        for old in files[: max(0, len(files) + 1 - limits.DATABASES_SET_ASIDE)]:
            for suffix in ("", _WAL):
                with contextlib.suppress(FileNotFoundError):
                    disk.unlink(path.with_name(old + suffix))
        disk.sync_folder(path.parent)
    except OSError as error:
        raise WriteFailed(f"{path}: {error.strerror or error}") from error
    return name


def explained(path: Path, error: Exception, *, writing: bool) -> EnigmaError:
    """What one of FAULTS means to the owner: LockBusy, StoreDamaged, else WriteFailed."""
    code = primary_code(error)
    if code in _IN_USE:
        return LockBusy(f"another program uses {path}", hint="Try again in a moment.")
    if code in _BROKEN or not writing or isinstance(error, UnicodeDecodeError):
        return StoreDamaged(f"{path}: {error}", hint=DAMAGED)
    return WriteFailed(f"{path}: {error}")


def concerns_the_file(error: Exception) -> bool:
    """Whether this is an error of the file or the disk, and not of what was asked (a constraint, say)."""
    return primary_code(error) in _CANNOT_WRITE | _IN_USE | _BROKEN


def primary_code(error: Exception) -> int:
    """SQLite's primary result code; -1 for an error that has none."""
    code = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF


def _connect(path: Path, how: str, *, wait: float = limits.DATABASE_BUSY_WAIT) -> Connection:
    connection = sqlite3.connect(
        f"file:{quote(os.fsencode(path))}?{how}",
        uri=True,
        isolation_level=None,
        timeout=wait,
        check_same_thread=False,
    )
    # A garbled file must not run anything, and what is sorted must not lie in another folder.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _check_header(path: Path, header: bytes, schema: Schema) -> None:
    """What the first bytes say, before SQLite opens the file: opening is the first change."""
    version = int.from_bytes(header[_VERSION_AT], "big")
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise StoreDamaged(f"{path} is no database", hint=DAMAGED)
    if int.from_bytes(header[_APPLICATION_AT], "big") != schema.application_id:
        raise StoreDamaged(f"{path} is the database of something else", hint=DAMAGED)
    if version > schema.version:
        raise StoreNewer(f"{path} has version {version}", hint=_NEWER)
    if version < 1:
        raise StoreDamaged(f"{path} has no version", hint=DAMAGED)


def _migrate(connection: Connection, schema: Schema) -> bool:
    """Run the migrations that are due, each whole or not at all; whether there were any."""
    [version] = connection.execute("PRAGMA user_version").fetchone()
    for number, statements in enumerate(schema.migrations[version:], version + 1):
        with _transaction(connection):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
    return bool(version < schema.version)


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: Connection) -> None:
    """End the transaction without a trace; SQLite may have done so already."""
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
