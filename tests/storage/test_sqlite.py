from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    LockBusy,
    NotFound,
    StoreDamaged,
    StoreNewer,
    TryLater,
    WriteFailed,
)
from enigma_fed.storage import sqlitefile
from enigma_fed.storage.sqlite import Database
from enigma_fed.storage.sqlitefile import Connection
from tests.support.sqlitefiles import FIRST, SECOND, add, made, put, words

PATIENCE: Final = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "store"
    inner.mkdir(mode=0o700)
    return inner


@pytest.fixture
async def database(folder: Path) -> AsyncIterator[Database]:
    opened = Database(made(folder), FIRST)
    opened.open()
    yield opened
    await opened.close()


def count(database: Database) -> int:
    found = database.row("SELECT count(*) FROM word")
    assert found is not None
    return int(found[0])


async def test_a_change_is_acknowledged_once_everybody_can_read_it(database: Database) -> None:
    assert await database.write(lambda c: add(c, "one")) == "one"
    assert database.row("SELECT text FROM word") == ("one",)
    assert words(database.path) == ["one"], "another program finds it, too"


async def test_invariant_8_the_file_and_all_beside_it_are_the_owners_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        database = Database(folder / "words.db", FIRST, may_be_lost=True)
        database.open()
        await database.write(lambda c: add(c, "one"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    await database.close()
    assert modes == dict.fromkeys(("words.db", "words.db-wal", "words.db-shm"), 0o600)


async def test_a_point_read_finds_nothing_where_nothing_is(database: Database) -> None:
    assert database.row("SELECT text FROM word WHERE text = ?", ("one",)) is None


async def test_a_point_read_changes_nothing(database: Database) -> None:
    with pytest.raises(StoreDamaged):
        database.row("DELETE FROM word")


async def test_changes_of_one_turn_share_one_transaction_and_those_that_come_meanwhile_the_next(
    database: Database,
) -> None:
    has_begun, may_go_on = threading.Event(), threading.Event()
    seen: list[tuple[str, int]] = []

    def change(connection: Connection, name: str) -> None:
        add(connection, name)
        with closing(sqlite3.connect(database.path)) as other:
            seen.append((name, other.execute("SELECT count(*) FROM word").fetchone()[0]))
        has_begun.set()
        may_go_on.wait(PATIENCE)

    first = [asyncio.create_task(database.write(lambda c, n=n: change(c, n))) for n in "ab"]
    await asyncio.to_thread(has_begun.wait, PATIENCE)
    second = [asyncio.create_task(database.write(lambda c, n=n: change(c, n))) for n in "cd"]
    await asyncio.sleep(0)
    may_go_on.set()
    await asyncio.gather(*first, *second)
    assert seen == [("a", 0), ("b", 0), ("c", 2), ("d", 2)]


async def test_a_change_that_fails_undoes_itself_and_nothing_else(database: Database) -> None:
    def half(connection: Connection) -> None:
        add(connection, "half")
        raise NotFound("the other half")

    results = await asyncio.gather(
        database.write(lambda c: add(c, "one")),
        database.write(half),
        database.write(lambda c: add(c, "one")),
        database.write(lambda c: add(c, "two")),
        return_exceptions=True,
    )
    assert results[0] == "one"
    assert isinstance(results[1], NotFound)
    assert isinstance(results[2], sqlite3.IntegrityError)
    assert results[3] == "two"
    assert words(database.path) == ["one", "two"]


async def test_the_change_of_a_caller_that_has_gone_disturbs_nobody(database: Database) -> None:
    gone = asyncio.create_task(database.write(lambda c: add(c, "one")))
    stays = asyncio.create_task(database.write(lambda c: add(c, "two")))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == "two"


async def test_a_full_disk_fails_the_group_and_the_next_change_is_tried_anew(database: Database) -> None:
    def fill(connection: Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(2000):
            add(connection, f"{number:0100}")

    one, full = await asyncio.gather(
        database.write(lambda c: add(c, "one")), database.write(fill), return_exceptions=True
    )
    assert isinstance(one, WriteFailed), "it was in the transaction that the disk had no room for"
    assert isinstance(full, WriteFailed)
    assert one is not full
    assert count(database) == 0
    await database.write(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone())
    assert await database.write(lambda c: add(c, "one")) == "one"


async def test_a_change_that_hides_that_the_disk_is_full_is_not_acknowledged(database: Database) -> None:
    def careless(connection: Connection) -> None:
        connection.execute("ROLLBACK")

    results = await asyncio.gather(
        database.write(lambda c: add(c, "one")), database.write(careless), return_exceptions=True
    )
    assert [type(result) for result in results] == [WriteFailed, WriteFailed]
    assert count(database) == 0


async def test_another_program_that_writes_is_waited_for_and_then_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.read(lambda c: c.execute("PRAGMA busy_timeout = 10").fetchone())
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockBusy):
            await database.write(lambda c: add(c, "one"))
        assert count(database) == 0, "readers wait for nobody"
        other.execute("ROLLBACK")
    assert await database.write(lambda c: add(c, "one")) == "one"


async def test_invariant_7_only_so_many_changes_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DATABASE_WRITES_WAITING", 3)
    waiting = [asyncio.create_task(database.write(lambda c, n=n: add(c, n))) for n in "abc"]
    await asyncio.sleep(0)
    with pytest.raises(TryLater):
        await database.write(lambda c: add(c, "d"))
    assert await asyncio.gather(*waiting) == ["a", "b", "c"]
    assert await database.write(lambda c: add(c, "d")) == "d"


async def test_closing_writes_what_waits_and_leaves_one_file(folder: Path) -> None:
    database = Database(made(folder), FIRST)
    database.open()
    assert database.is_open
    waiting = [asyncio.create_task(database.write(lambda c, n=n: add(c, n))) for n in "abc"]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*waiting)
    assert not database.is_open
    assert [path.name for path in folder.iterdir()] == ["words.db"]
    assert words(database.path) == ["a", "b", "c"]
    await database.close()


async def test_a_closed_one_takes_nothing_more(folder: Path) -> None:
    database = Database(made(folder), FIRST)
    for _ in range(2):
        with pytest.raises(TryLater):
            await database.write(lambda c: add(c, "one"))
        with pytest.raises(TryLater):
            await database.read(lambda c: c.execute("SELECT 1"))
        database.open()
        closing = asyncio.create_task(database.close())
        await asyncio.sleep(0)
        with pytest.raises(TryLater):
            await database.write(lambda c: add(c, "one"))
        await closing
    assert words(database.path) == []


async def test_a_fault_that_ends_threads_reaches_its_caller_and_leaves_no_half_of_a_group(
    database: Database,
) -> None:
    class Ended(BaseException):
        pass

    def end(connection: Connection) -> None:
        raise Ended

    results = await asyncio.gather(
        database.write(lambda c: add(c, "one")), database.write(end), return_exceptions=True
    )
    assert [type(result) for result in results] == [Ended, Ended]
    assert count(database) == 0
    assert await database.write(lambda c: add(c, "one")) == "one"


async def test_what_is_read_off_the_loop_is_what_was_acknowledged(database: Database) -> None:
    await database.write(lambda c: add(c, "one"))
    assert await database.read(lambda c: c.execute("SELECT text FROM word").fetchall()) == [("one",)]
    with pytest.raises(StoreDamaged):
        await database.read(lambda c: c.execute("SELECT nothing"))


async def test_what_was_deleted_is_not_in_the_file_any_more(folder: Path) -> None:
    database = Database(made(folder, "a word that was said"), FIRST)
    assert b"a word that was said" in database.path.read_bytes()
    database.open()
    await database.write(lambda c: c.execute("DELETE FROM word").rowcount)
    await database.close()
    assert b"a word that was said" not in database.path.read_bytes()


async def test_an_older_one_is_brought_up_to_date(folder: Path) -> None:
    database = Database(made(folder, "one"), SECOND)
    database.open()
    assert database.row("SELECT text, said FROM word") == ("one", 0)
    await database.close()


@pytest.mark.parametrize("may_be_lost", [False, True])
def test_one_of_a_newer_version_is_refused_and_not_touched(folder: Path, may_be_lost: bool) -> None:
    path = made(folder, "one", schema=SECOND)
    before = path.read_bytes()
    with pytest.raises(StoreNewer):
        Database(path, FIRST, may_be_lost=may_be_lost).open()
    assert path.read_bytes() == before
    assert [entry.name for entry in folder.iterdir()] == ["words.db"]


def test_invariant_5_a_missing_one_that_matters_is_never_read_as_empty(folder: Path) -> None:
    with pytest.raises(StoreDamaged, match="missing"):
        Database(folder / "words.db", FIRST).open()
    assert list(folder.iterdir()) == []


def test_invariant_5_a_damaged_one_that_matters_is_refused_and_stays_as_it_is(folder: Path) -> None:
    path = made(folder, "one")
    put(path, 0, b"garbage")
    before = path.read_bytes()
    with pytest.raises(StoreDamaged):
        Database(path, FIRST).open()
    assert path.read_bytes() == before
    assert [entry.name for entry in folder.iterdir()] == ["words.db"]


async def test_a_missing_one_that_may_be_lost_is_begun(folder: Path) -> None:
    database = Database(folder / "words.db", FIRST, may_be_lost=True)
    database.open()
    assert (count(database), database.set_aside) == (0, None)
    await database.close()


async def test_a_damaged_one_that_may_be_lost_is_set_aside_and_begun_anew(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = made(folder, "one")
    put(path, 0, b"garbage")
    before = path.read_bytes()
    database = Database(path, FIRST, may_be_lost=True, now=lambda: 1_800_000_000)
    database.open()
    assert database.set_aside == "words.db.damaged-20270115T080000Z-0"
    assert (folder / database.set_aside).read_bytes() == before
    assert count(database) == 0
    assert database.set_aside in caplog.text
    await database.close()


async def test_the_log_of_one_that_is_gone_does_not_come_into_the_new_one(folder: Path) -> None:
    old = Database(made(folder), FIRST)
    old.open()
    await old.write(lambda c: add(c, "of before"))
    log = (folder / "words.db-wal").read_bytes()
    await old.close()
    old.path.unlink()
    (folder / "words.db-wal").write_bytes(log)
    (folder / "words.db-wal").chmod(0o600)
    database = Database(folder / "words.db", FIRST, may_be_lost=True)
    database.open()
    assert count(database) == 0
    await database.close()


async def test_one_that_looks_sound_and_is_not_can_be_distrusted(folder: Path) -> None:
    database = Database(made(folder, "one"), FIRST, may_be_lost=True)
    database.open(distrust=True)
    assert count(database) == 0
    assert database.set_aside is not None
    await database.close()


def test_a_reader_that_cannot_be_had_leaves_nothing_open(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Connection:
        raise StoreDamaged("it went away")

    monkeypatch.setattr(sqlitefile, "connect_reader", refuse)
    database = Database(made(folder), FIRST)
    with pytest.raises(StoreDamaged):
        database.open()
    assert not database.is_open
    assert [path.name for path in folder.iterdir()] == ["words.db"]


async def test_garbled_contents_are_told_as_damage_and_never_end_the_process(folder: Path) -> None:
    path = made(folder, *(f"word {number:04}" for number in range(2000)))
    database = Database(path, FIRST)
    database.open()
    put(path, 4096, b"\xaa" * (path.stat().st_size - 4096))

    def everything(connection: Any) -> int:
        return len(connection.execute("SELECT text FROM word").fetchall())

    with pytest.raises(StoreDamaged):
        await database.read(everything)
    with pytest.raises(StoreDamaged):
        await database.write(everything)
    await database.close()
