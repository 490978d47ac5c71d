"""What a registry has on its disk: beyond the contract that test_store.py runs over every store."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import StoreDamaged, TryLater, WriteFailed
from enigma_fed.base.registry_errors import ForeignStore, RegistryRunning
from enigma_fed.registry.atrest import AtRest
from enigma_fed.registry.store import Registered
from enigma_fed.registry.storesqlite import SqliteStore
from enigma_fed.storage.sqlitefile import Connection
from tests.registry.test_store import ALICE, BOB, changed, record
from tests.support.ownerchanges import log, updated


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "registry"


async def filled(folder: Path) -> None:
    """A closed store: alice changed once, bob as he registered, one node."""
    store = SqliteStore(folder)
    store.open()
    for user in (ALICE, BOB):
        await store.register(record(user))
    await changed(store, ALICE, log(ALICE)[1], updated(ALICE).encode())
    await store.add_nodes(["https://a.example"], 10)
    await store.close()


def edit(folder: Path, *statements: str) -> None:
    """Somebody with the file, and without the key, changes it."""
    with closing(sqlite3.connect(folder / "registry.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


async def test_everything_is_there_after_a_restart(folder: Path) -> None:
    await filled(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["index.key", "lock", "registry.db"]
    store = SqliteStore(folder)
    store.open()
    found = store.find(ALICE.id)
    assert found is not None
    assert (found.identity_bytes, found.head) == (updated(ALICE).encode(), log(ALICE)[1].hash)
    assert store.log(ALICE.id) == tuple(log(ALICE)[:2])
    assert (store.find(BOB.id), store.count) == (record(BOB), 2)
    assert store.nodes() == ("https://a.example",)
    assert await store.register(record(BOB)) is Registered.SAME
    await store.close()


async def test_invariant_8_weakness_02_no_handle_no_name_and_no_key_stands_in_the_files(folder: Path) -> None:
    await filled(folder)
    content = b"".join(path.read_bytes() for path in folder.iterdir() if path.name != "index.key")
    key = (folder / "index.key").read_bytes()
    for user in (ALICE, BOB):
        for secret in (user.id.value, user.id.hex.encode(), user.name.encode(), b'"user_id"'):
            assert secret not in content
    assert key not in content
    assert AtRest(key).blind(BOB.id) in content, "found by its blind index"
    assert AtRest(bytes(32)).blind(BOB.id) not in content
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


async def test_invariant_5_a_record_in_anothers_place_is_damage_and_never_an_answer(folder: Path) -> None:
    await filled(folder)
    edit(folder, "UPDATE identity SET sealed = (SELECT sealed FROM identity WHERE id = 1) WHERE id = 2")
    store = SqliteStore(folder)
    store.open()
    assert store.find(ALICE.id) is not None
    with pytest.raises(StoreDamaged):
        store.find(BOB.id)
    told = await asyncio.gather(store.register(record(BOB)), store.merge([]), return_exceptions=True)
    assert [type(each) for each in told] == [StoreDamaged, int]
    await store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE change SET seq = 2 - seq",
        "UPDATE change SET sealed = x'00' WHERE seq = 1",
        "DELETE FROM change WHERE seq = 1",
        "DELETE FROM change",
    ],
)
async def test_invariant_5_a_log_that_was_changed_is_damage_and_never_an_answer(
    folder: Path, statement: str
) -> None:
    await filled(folder)
    edit(folder, statement)
    store = SqliteStore(folder)
    store.open()
    with pytest.raises(StoreDamaged):
        store.log(ALICE.id)
    await store.close()


async def test_invariant_5_a_database_without_its_key_or_with_another_is_refused(folder: Path) -> None:
    await filled(folder)
    key, before = folder / "index.key", (folder / "registry.db").read_bytes()
    content = key.read_bytes()
    key.unlink()
    with pytest.raises(StoreDamaged, match=r"index\.key is missing"):
        SqliteStore(folder).open()
    key.write_bytes(bytes(32))
    key.chmod(0o600)
    with pytest.raises(StoreDamaged, match="not the key"):
        SqliteStore(folder).open()
    assert not list(folder.glob("registry.db-*"))
    assert (folder / "registry.db").read_bytes() == before
    key.write_bytes(content)
    store = SqliteStore(folder)
    store.open()
    assert store.count == 2
    await store.close()


async def test_invariant_5_a_key_without_its_database_is_no_empty_registry(folder: Path) -> None:
    await filled(folder)
    (folder / "registry.db").unlink()
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=r"registry\.db is missing"):
            SqliteStore(folder).open()
    assert not (folder / "registry.db").exists()


async def test_invariant_5_sleds_folder_is_refused(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    for name in ("conf", "db"):
        (folder / name).touch()
    with pytest.raises(ForeignStore):
        SqliteStore(folder).open()
    assert sorted(path.name for path in folder.iterdir()) == ["conf", "db"]


async def test_a_folder_has_one_store_at_a_time(folder: Path) -> None:
    store = SqliteStore(folder)
    store.open()
    with pytest.raises(RegistryRunning):
        SqliteStore(folder).open()
    await store.close()
    with pytest.raises(TryLater):
        await store.register(record(ALICE))
    again = SqliteStore(folder)
    again.open()
    await again.close()


async def test_a_failed_start_gives_the_folder_back(folder: Path) -> None:
    await filled(folder)
    (folder / "registry.db").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(StoreDamaged):
            SqliteStore(folder).open()


async def test_invariant_7_no_more_nodes_are_held_than_the_limit_whatever_the_settings_say(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_limits, "NODES_KEPT", 2)
    store = SqliteStore(folder)
    store.open()
    assert await store.add_nodes([f"https://{name}.example" for name in "abc"], 10) == 2
    assert store.nodes() == ("https://a.example", "https://b.example")
    await store.close()


async def test_looking_up_who_is_not_there_opens_as_much_as_for_one_who_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weakness 20: the time of an answer would tell."""
    await filled(folder)
    store = SqliteStore(folder)
    store.open()
    opened: list[bytes] = []
    original = AtRest.open

    def counted(rest: AtRest, place: bytes, sealed: bytes) -> bytes:
        opened.append(sealed)
        return original(rest, place, sealed)

    monkeypatch.setattr(AtRest, "open", counted)
    store.find(BOB.id)
    store.find(record(BOB).user_id)
    assert len(opened) == 2
    store.find(ALICE.id.of("nobody"))
    assert len(opened) == 3
    await store.close()


async def test_invariant_5_what_the_disk_had_no_room_for_is_not_there_and_its_row_is_anothers(
    folder: Path,
) -> None:
    store = SqliteStore(folder)
    store.open()

    def failing(connection: Connection) -> None:
        connection.execute("ROLLBACK")

    told = await asyncio.gather(
        store.register(record(ALICE)), store._database.write(failing), return_exceptions=True
    )
    assert [type(each) for each in told] == [WriteFailed, WriteFailed]
    assert (store.find(ALICE.id), store.has(ALICE.id), store.count) == (None, False, 0)
    told = await asyncio.gather(
        store.merge([record(ALICE)]), store._database.write(failing), return_exceptions=True
    )
    assert [type(each) for each in told] == [WriteFailed, WriteFailed]
    assert store.has(ALICE.id) is False
    assert await store.register(record(BOB)) is Registered.CREATED, "in the row that was alice's"
    assert (store.find(ALICE.id), store.find(BOB.id)) == (None, record(BOB))
    assert await store.register(record(ALICE)) is Registered.CREATED
    assert store.find(ALICE.id) == record(ALICE)
    await store.close()


async def test_invariant_5_the_failure_of_a_caller_that_has_gone_is_noticed(folder: Path) -> None:
    store = SqliteStore(folder)
    store.open()

    def failing(connection: Connection) -> None:
        connection.execute("ROLLBACK")

    gone = asyncio.create_task(store.register(record(ALICE)))
    fails = asyncio.create_task(store._database.write(failing))
    await asyncio.sleep(0)
    gone.cancel()
    assert [type(each) for each in await asyncio.gather(gone, fails, return_exceptions=True)] == [
        asyncio.CancelledError,
        WriteFailed,
    ]
    assert await store.register(record(BOB)) is Registered.CREATED
    assert (store.has(ALICE.id), store.has(BOB.id)) == (False, True)
    await store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO identity (blind, sealed) SELECT blind, sealed FROM identity",
        "UPDATE identity SET blind = x'00'",
        "UPDATE identity SET blind = zeroblob(16) WHERE id = 2",
        "UPDATE identity SET id = -id",
        "UPDATE identity SET id = id + 1 WHERE id = 2",
        "DELETE FROM identity WHERE id = 1",
        "INSERT INTO node (url) VALUES (CAST(x'ff' AS TEXT))",
    ],
)
async def test_invariant_5_rows_that_are_none_of_ours_are_refused_at_the_start(
    folder: Path, statement: str
) -> None:
    await filled(folder)
    edit(folder, statement)
    for _ in range(2):
        with pytest.raises(StoreDamaged):
            SqliteStore(folder).open()
