from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import Conflict, LockBusy, LooseModes, StoreDamaged, StoreNewer, WriteFailed
from enigma_fed.storage import sqlitefile
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.sqlitefile import Schema, Synchronous
from tests.support.sqlitefiles import FIRST, SECOND, add, made, put, words

NEWER = Schema(FIRST.application_id, (*SECOND.migrations, ("CREATE TABLE more (n INTEGER) STRICT",)))
OTHER = Schema(0x6F746872, FIRST.migrations)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "store"
    inner.mkdir(mode=0o700)
    return inner


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_new_one_is_empty_the_owners_alone_and_recognised(folder: Path) -> None:
    path = made(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    sqlitefile.check(path, FIRST)
    assert words(path) == []
    assert [entry.name for entry in folder.iterdir()] == ["words.db"]


def test_a_new_one_takes_the_place_of_nothing(folder: Path) -> None:
    path = made(folder, "one")
    with pytest.raises(Conflict):
        sqlitefile.create(path, FIRST)
    assert words(path) == ["one"]


def test_a_new_one_is_not_put_beside_the_log_of_another(folder: Path) -> None:
    (folder / "words.db-wal").write_bytes(b"changes of before")
    with pytest.raises(Conflict):
        sqlitefile.create(folder / "words.db", FIRST)


def test_looking_and_reading_change_nothing_on_the_disk(folder: Path) -> None:
    path = made(folder, "one")
    before = files(folder)
    sqlitefile.check(path, FIRST)
    assert words(path) == ["one"]
    with sqlitefile.reading(path) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM word")
    assert files(folder) == before


def test_what_a_killed_writer_left_in_the_log_is_read(folder: Path, tmp_path: Path) -> None:
    path = made(folder, "one")
    killed = tmp_path / "killed"
    with closing(sqlitefile.connect(path, FIRST, Synchronous.FULL)) as writer:
        writer.execute("INSERT INTO word (text) VALUES ('two')")
        shutil.copytree(folder, killed)
    left = killed / "words.db"
    assert (killed / "words.db-wal").stat().st_size
    sqlitefile.check(left, FIRST)
    assert words(left) == ["one", "two"]


def test_a_missing_one_is_said_to_be_missing(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sqlitefile.check(folder / "words.db", FIRST)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_invariant_8_what_others_could_read_is_refused(folder: Path, suffix: str) -> None:
    path = made(folder, "one")
    loose = folder / f"words.db{suffix}"
    loose.touch()
    loose.chmod(0o640)
    with pytest.raises(LooseModes):
        sqlitefile.check(path, FIRST)


def test_invariant_8_a_folder_that_others_could_read_is_refused(folder: Path) -> None:
    path = made(folder, "one")
    folder.chmod(0o750)
    with pytest.raises(LooseModes):
        sqlitefile.check(path, FIRST)


@pytest.mark.parametrize(
    ("at", "data", "why"),
    [
        (0, b"SQLite format 4", "is no database"),
        (68, b"\x00\x00\x00\x00", "the database of something else"),
        (60, b"\x00\x00\x00\x00", "has no version"),
    ],
)
def test_invariant_5_a_damaged_head_is_damage(folder: Path, at: int, data: bytes, why: str) -> None:
    path = made(folder, "one")
    put(path, at, data)
    before = files(folder)
    with pytest.raises(StoreDamaged, match=why):
        sqlitefile.check(path, FIRST)
    assert files(folder) == before


@pytest.mark.parametrize("size", [0, 50, 4096, 5000])
def test_invariant_5_a_file_that_was_cut_off_is_damage_never_an_empty_one(folder: Path, size: int) -> None:
    path = made(folder, "one")
    os.truncate(path, size)
    with pytest.raises(StoreDamaged):
        sqlitefile.check(path, FIRST)


def test_invariant_5_garbled_pages_are_damage(folder: Path) -> None:
    path = made(folder, *(f"word {number:04}" for number in range(2000)))
    put(path, 3 * 4096, b"\xaa" * 4096)
    with pytest.raises(StoreDamaged):
        sqlitefile.check(path, FIRST)


def test_the_database_of_another_program_is_damage(folder: Path) -> None:
    path = made(folder, "one")
    with pytest.raises(StoreDamaged, match="something else"):
        sqlitefile.check(path, OTHER)


def test_one_that_the_disk_cannot_read_is_damage(folder: Path) -> None:
    class Failing(Disk):
        def head(self, path: Path, size: int) -> bytes | None:
            raise OSError(errno.EIO, "Input/output error")

    path = made(folder, "one")
    with pytest.raises(StoreDamaged, match="Input/output error"):
        sqlitefile.check(path, FIRST, disk=Failing())


def test_one_of_a_newer_version_is_refused_and_not_touched(folder: Path) -> None:
    path = made(folder, "one", schema=NEWER)
    before = files(folder)
    with pytest.raises(StoreNewer):
        sqlitefile.check(path, FIRST)
    assert files(folder) == before


def test_one_of_which_only_the_log_says_that_it_is_newer_is_refused_and_not_touched(
    folder: Path, tmp_path: Path
) -> None:
    path = made(folder, "one")
    killed = tmp_path / "killed"
    with closing(sqlitefile.connect(path, FIRST, Synchronous.FULL)) as writer:
        writer.execute("PRAGMA user_version = 9")
        shutil.copytree(folder, killed)
    before = files(killed)
    with pytest.raises(StoreNewer):
        sqlitefile.check(killed / "words.db", FIRST)
    after = files(killed)
    assert (after["words.db"], after["words.db-wal"]) == (before["words.db"], before["words.db-wal"])


def test_an_older_one_is_brought_up_to_date_in_order_and_says_so_in_its_head(folder: Path) -> None:
    path = made(folder, "one")
    sqlitefile.check(path, NEWER)
    with closing(sqlitefile.connect(path, NEWER, Synchronous.NORMAL)) as writer:
        assert writer.execute("SELECT text, said FROM word").fetchall() == [("one", 0)]
        assert writer.execute("SELECT count(*) FROM more").fetchone() == (0,)
        head = path.read_bytes()[:100]
    assert int.from_bytes(head[60:64], "big") == 3, "before the writer has gone"
    with pytest.raises(StoreNewer):
        sqlitefile.check(path, FIRST)


def test_a_migration_that_fails_leaves_the_version_of_before(folder: Path) -> None:
    path = made(folder, "one")
    broken = Schema(FIRST.application_id, (*FIRST.migrations, ("CREATE TABLE a (n)", "CREATE TABLE a (n)")))
    with pytest.raises(WriteFailed):
        sqlitefile.connect(path, broken, Synchronous.FULL)
    sqlitefile.check(path, FIRST)
    assert words(path) == ["one"]


@pytest.mark.parametrize(("level", "number"), [(Synchronous.NORMAL, 1), (Synchronous.FULL, 2)])
def test_the_writer_syncs_as_often_as_it_was_told_to(folder: Path, level: Synchronous, number: int) -> None:
    path = made(folder)
    with closing(sqlitefile.connect(path, FIRST, level)) as writer:
        assert writer.execute("PRAGMA synchronous").fetchone() == (number,)
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert writer.execute("PRAGMA journal_size_limit").fetchone() == (limits.DATABASE_LOG_BYTES,)
        assert writer.execute("PRAGMA busy_timeout").fetchone() == (1000 * limits.DATABASE_BUSY_WAIT,)


def test_a_file_system_without_shared_memory_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(folder)

    def plain(path: Path, how: str, **_: Any) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{path}?{how}&vfs=unix-dotfile", uri=True, isolation_level=None)

    monkeypatch.setattr(sqlitefile, "_connect", plain)
    with pytest.raises(WriteFailed, match="no WAL"):
        sqlitefile.connect(path, FIRST, Synchronous.FULL)


def test_one_that_another_program_has_is_busy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(folder)
    monkeypatch.setattr(sqlitefile._connect, "__kwdefaults__", {"wait": 0.0})
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LockBusy):
            sqlitefile.connect(path, FIRST, Synchronous.FULL)
    with pytest.raises(LockBusy), sqlitefile.reading(path):
        raise _busy()


def _busy() -> sqlite3.Error:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


def test_a_change_without_a_service_is_whole_or_not_at_all_and_leaves_one_file(folder: Path) -> None:
    path = made(folder, "one")
    sqlitefile.change(path, FIRST, lambda connection: add(connection, "two"))
    with pytest.raises(WriteFailed):
        sqlitefile.change(path, FIRST, lambda connection: (add(connection, "three"), add(connection, "one")))
    assert words(path) == ["one", "two"]
    assert [entry.name for entry in folder.iterdir()] == ["words.db"]


def test_a_folder_in_which_nothing_can_be_made_is_a_failed_write(folder: Path) -> None:
    path = made(folder, "one")
    (folder / "words.db-wal").mkdir(mode=0o700)  # as in a read-only folder, no log can be made
    with pytest.raises(WriteFailed):
        sqlitefile.connect(path, FIRST, Synchronous.FULL)
    with pytest.raises(StoreDamaged):
        sqlitefile.connect_reader(folder / "missing.db")


def test_a_damaged_one_keeps_its_bytes_under_another_name_with_its_log(folder: Path) -> None:
    path = folder / "words.db"
    contents = {"words.db": b"file", "words.db-wal": b"log", "words.db-shm": b"index"}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    name = sqlitefile.set_aside(path, 1_800_000_000)
    assert name == "words.db.damaged-20270115T080000Z-0"
    assert files(folder) == {name: b"file", f"{name}-wal": b"log"}


def test_the_log_goes_before_its_file(folder: Path) -> None:
    """Cut short between the two, the file of before must not be missing under a log that is there."""

    class Cut(Disk):
        def rename(self, source: Path, target: Path) -> None:
            if source.name == "words.db":
                raise OSError(errno.EIO, "Input/output error")
            super().rename(source, target)

    (folder / "words.db").write_bytes(b"file")
    (folder / "words.db-wal").write_bytes(b"log")
    with pytest.raises(WriteFailed):
        sqlitefile.set_aside(folder / "words.db", 1_800_000_000, disk=Cut())
    assert sorted(files(folder)) == ["words.db", "words.db.damaged-20270115T080000Z-0-wal"]


def test_only_so_many_damaged_ones_are_kept_the_newest(folder: Path) -> None:
    path = folder / "words.db"
    names = []
    for number in range(limits.DATABASES_SET_ASIDE + 1):
        path.write_bytes(b"%d" % number)
        (folder / "words.db-wal").write_bytes(b"log")
        names.append(sqlitefile.set_aside(path, 1_800_000_000 + number // 2))
    assert len(set(names)) == len(names)
    kept = {name for each in names[1:] for name in (each, f"{each}-wal")}
    assert set(files(folder)) == kept


def test_errors_that_have_no_code_concern_what_was_asked() -> None:
    assert not sqlitefile.concerns_the_file(sqlite3.ProgrammingError("closed"))
    assert not sqlitefile.concerns_the_file(ValueError())
    assert sqlitefile.concerns_the_file(_busy())


def test_damage_whose_description_is_no_text_is_damage(folder: Path) -> None:
    path = made(folder, "one")
    data = path.read_bytes()
    put(path, data.index(b"CREATE TABLE word"), b"CREATE TABLE w\xc0rd")
    with pytest.raises(StoreDamaged):
        sqlitefile.check(path, FIRST)
    with pytest.raises(StoreDamaged):
        sqlitefile.change(path, FIRST, lambda connection: add(connection, "two"))


def test_a_transaction_that_has_ended_by_itself_is_not_ended_again() -> None:
    class Stubborn(sqlite3.Connection):
        in_transaction = True  # type: ignore[assignment]

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        sqlitefile.roll_back(connection)
    with closing(sqlite3.connect(":memory:", isolation_level=None, factory=Stubborn)) as connection:
        sqlitefile.roll_back(connection)
        assert connection.execute("SELECT 1").fetchone() == (1,)
