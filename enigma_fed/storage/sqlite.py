"""A SQLite database with one writer: changes in groups on one thread, acknowledged once they are committed.

The file itself, its versions and what is wrong with it: storage/sqlitefile.py, docs/FILES.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, StoreDamaged, TryLater
from enigma_fed.storage import sqlitefile
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.sqlitefile import Connection, Schema, Synchronous

T = TypeVar("T")
Item = TypeVar("Item")
Work: TypeAlias = Callable[[Connection], T]
"""Reads or changes the database, in the writer's thread; it neither begins nor ends transactions."""
Gathering: TypeAlias = Callable[[Sequence[Item], Connection], Sequence[T]]
"""Makes all these changes of one kind, or raises; a result for each item. In the writer's thread, too."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one change."""

    value: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Write:
    """A change that waits for its turn, or several of one kind."""

    work: Gathering[Any, Any]
    items: list[Any] = field(default_factory=list)
    told: list[asyncio.Future[Any]] = field(default_factory=list)


class Database:
    """One SQLite file; `open` it before, `close` it after. One loop uses it, nobody else writes to it.

    `may_be_lost`: a damaged file is set aside (`set_aside` has its new name) and begun anew, as is a
    missing one. Without it both are errors, and `sqlitefile.create` makes the first one.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        *,
        synchronous: Synchronous = Synchronous.FULL,
        may_be_lost: bool = False,
        disk: Disk | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.set_aside: str | None = None
        self._schema = schema
        self._synchronous = synchronous
        self._may_be_lost = may_be_lost
        self._disk = disk or Disk()
        self._now = now
        self._writer: Connection | None = None
        self._reader: Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: list[_Write] = []
        self._gathered: dict[Gathering[Any, Any], _Write] = {}
        self._number = 0
        self._running: asyncio.Future[list[list[_Outcome]]] | None = None
        self._scheduled = False

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._writer is not None

    def open(self, *, distrust: bool = False) -> None:
        """Check the file and open it. Blocks; `distrust` counts it as damaged, whatever it looks like.

        Raises StoreDamaged (also when it is missing) unless it may be lost, StoreNewer, LooseModes, LockBusy:
        then nothing was changed. Raises WriteFailed.
        """
        try:
            if distrust:
                raise StoreDamaged(f"{self.path}: it could not be read")
            sqlitefile.check(self.path, self._schema, disk=self._disk)
        except FileNotFoundError:
            if not self._may_be_lost:
                raise StoreDamaged(f"{self.path} is missing", hint="Put a backup in its place.") from None
            self._begin_anew()
        except StoreDamaged as error:
            if not self._may_be_lost:
                raise
            self._begin_anew()
            _log.warning("%s; it is kept as %s, and begun anew", error.detail, self.set_aside)
        self._writer = sqlitefile.connect(self.path, self._schema, self._synchronous)
        try:
            self._reader = sqlitefile.connect_reader(self.path)
        except EnigmaError:
            self._writer.close()
            self._writer = None
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=self.path.name)

    def _begin_anew(self) -> None:
        """What stands there goes aside; a log without its file, too."""
        name = sqlitefile.set_aside(self.path, self._now(), disk=self._disk)
        self.set_aside = name if self._disk.exists(self.path.with_name(name)) else None
        sqlitefile.create(self.path, self._schema, disk=self._disk)

    async def write(self, work: Work[T]) -> T:
        """What `work` returns, once its changes are committed; what it raises undoes them and is raised.

        Changes asked for in one turn of the loop, or while others are written, share a transaction; each
        of them holds or fails for itself, unless the disk fails. That of a cancelled caller may be made.
        Raises WriteFailed, StoreDamaged, LockBusy, TryLater (it is closed, or limits.DATABASE_WRITES_WAITING
        wait already).
        """
        told: asyncio.Future[T] = self._asked(_Write(lambda _, connection: [work(connection)]), None)
        return await told

    async def write_gathered(self, gathering: Gathering[Item, T], item: Item) -> T:
        """As `write`, for changes of which there are many: those that wait are made by one call.

        If that raises, it is undone and each of them is tried alone.
        """
        write = self._gathered.get(gathering)
        if write is None:
            write = self._gathered[gathering] = _Write(gathering)
        told: asyncio.Future[T] = self._asked(write, item)
        return await told

    def _asked(self, write: _Write, item: object) -> asyncio.Future[Any]:
        """Add one change to those that wait, and see to it that there is a transaction."""
        self._check_open()
        if self._number >= limits.DATABASE_WRITES_WAITING:
            raise TryLater(f"{self.path.name} has too many changes to write")
        loop = asyncio.get_running_loop()
        if not write.items:
            self._waiting.append(write)
        told = loop.create_future()
        write.items.append(item)
        write.told.append(told)
        self._number += 1
        if self._running is None and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._begin)
        return told

    async def read(self, work: Work[T]) -> T:
        """What `work` reads, off the loop, between transactions; raises StoreDamaged, LockBusy, TryLater."""
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, work)

    def row(self, sql: str, parameters: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """The first row that an indexed question finds among what is committed, at once; None for none.

        Raises StoreDamaged, LockBusy.
        """
        assert self._reader is not None
        try:
            found: tuple[Any, ...] | None = self._reader.execute(sql, parameters).fetchone()
        except sqlitefile.FAULTS as error:
            raise sqlitefile.explained(self.path, error, writing=False) from error
        return found

    def rows(self, sql: str, parameters: Sequence[object], most: int) -> list[tuple[Any, ...]]:
        """The first `most` rows of an indexed question, as `row` finds one."""
        assert self._reader is not None
        try:
            found: list[tuple[Any, ...]] = self._reader.execute(sql, parameters).fetchmany(most)
        except sqlitefile.FAULTS as error:
            raise sqlitefile.explained(self.path, error, writing=False) from error
        return found

    async def close(self) -> None:
        """Write what waits, bring the log into the file, and let go of both."""
        while self._waiting or self._running is not None:
            if self._running is None:
                await asyncio.sleep(0)
            else:
                await asyncio.wait({self._running})
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._shut)
            thread.shutdown()

    def _check_open(self) -> None:
        if self._thread is None:
            raise TryLater(f"{self.path.name} is closed")

    def _begin(self) -> None:
        """Give all that waits to the writer's thread, as one transaction."""
        self._scheduled = False
        batch, self._waiting = self._waiting, []
        self._gathered, self._number = {}, 0
        loop = asyncio.get_running_loop()
        self._running = loop.run_in_executor(self._thread, self._transaction, batch)
        self._running.add_done_callback(partial(self._ended, batch))

    def _ended(self, batch: list[_Write], running: asyncio.Future[list[list[_Outcome]]]) -> None:
        self._running = None
        fault = running.exception()
        ended = [[_Outcome(error=fault)] * len(write.told) for write in batch]
        for write, results in zip(batch, ended if fault is not None else running.result(), strict=True):
            for told, outcome in zip(write.told, results, strict=True):
                if told.done():
                    continue  # its caller has gone
                if outcome.error is None:
                    told.set_result(outcome.value)
                else:
                    told.set_exception(outcome.error)
        if self._waiting:
            self._begin()

    # In the writer's thread

    def _transaction(self, batch: list[_Write]) -> list[list[_Outcome]]:
        assert self._writer is not None
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            outcomes = [_made(self._writer, write) for write in batch]
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            sqlitefile.roll_back(self._writer)
            explained = partial(sqlitefile.explained, self.path, error, writing=True)
            return [[_Outcome(error=explained()) for _ in write.items] for write in batch]
        except BaseException:
            sqlitefile.roll_back(self._writer)
            raise
        return outcomes

    def _read(self, work: Work[T]) -> T:
        assert self._writer is not None
        try:
            return work(self._writer)
        except sqlitefile.FAULTS as error:
            raise sqlitefile.explained(self.path, error, writing=False) from error

    def _shut(self) -> None:
        assert self._writer is not None
        assert self._reader is not None
        self._reader.close()
        with contextlib.suppress(sqlite3.Error):  # on a full disk the log stays beside the file
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._writer.close()
        self._reader = self._writer = None


def _made(connection: Connection, write: _Write) -> list[_Outcome]:
    """Make changes of one kind by one call or, if that fails, one by one; raises as `_one`."""
    together = _one(connection, partial(write.work, write.items))
    if together.error is None:
        return [_Outcome(value) for value in together.value]
    if len(write.items) == 1:
        return [together]
    return [_made(connection, _Write(write.work, [item]))[0] for item in write.items]


def _one(connection: Connection, work: Work[Any]) -> _Outcome:
    """Do one change of a group, or leave no trace of it; raises sqlite3.Error when the group is lost."""
    connection.execute("SAVEPOINT one")
    try:
        value = work(connection)
    except Exception as error:  # each caller gets its own, the others go on
        if sqlitefile.concerns_the_file(error):
            raise
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return _Outcome(error=error)
    connection.execute("RELEASE one")
    return _Outcome(value)
