from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, StoreDamaged, StoreNewer
from enigma_fed.base.ids import Did
from enigma_fed.state import historystore
from enigma_fed.state.history import LONG, RINGS, SHORT, Key, Sums
from enigma_fed.state.historystore import NAME, HistoryStore
from tests.support.identities import did
from tests.support.sqlitefiles import put

NOON = 1_800_014_400
ONE = Sums(1, 1, 100, 1, 4, 1, 10, 2)
FLIPS = 25


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "home"
    inner.mkdir(mode=0o700)
    return inner


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[HistoryStore]:
    opened = HistoryStore(folder)
    opened.open()
    yield opened
    await opened.close()


def at(who: Did, period: int, sums: Sums = ONE) -> dict[Key, Sums]:
    return {Key(who, SHORT, period): sums}


async def test_what_was_added_is_read(store: HistoryStore) -> None:
    await store.add({**at(did(1), 7), Key(did(1), LONG, 3): ONE, **at(did(2), 8)})
    assert await store.read(did(1), SHORT, range(10)) == {7: ONE}
    assert await store.read(did(1), LONG, range(10)) == {3: ONE}
    assert await store.read(did(2), SHORT, range(8)) == {}
    assert await store.read(did(3), SHORT, range(8)) == {}


async def test_samples_of_one_slot_are_added_up_over_flushes_and_restarts(
    store: HistoryStore, folder: Path
) -> None:
    await store.add(at(did(1), 7))
    await store.add(at(did(1), 7))
    await store.close()
    store.open()
    await store.add(at(did(1), 7, Sums(heard=1)))
    assert await store.read(did(1), SHORT, range(10)) == {7: ONE.plus(ONE).plus(Sums(heard=1))}


async def test_a_slot_is_used_again_when_its_ring_is_over(store: HistoryStore, folder: Path) -> None:
    await store.add(at(did(1), 7))
    await store.add(at(did(1), 7 + SHORT.slots, ONE.plus(ONE)))
    assert await store.read(did(1), SHORT, range(7, 8)) == {}
    assert await store.read(did(1), SHORT, range(290, 300)) == {295: ONE.plus(ONE)}


async def test_what_a_clock_that_was_ahead_wrote_is_replaced_by_what_comes_now(store: HistoryStore) -> None:
    await store.add(at(did(1), 7 + 50 * SHORT.slots))
    await store.add(at(did(1), 7))
    assert await store.read(did(1), SHORT, range(10)) == {7: ONE}


async def test_the_file_does_not_grow_once_every_slot_was_used(folder: Path) -> None:
    store = HistoryStore(folder)
    sizes = []
    for lap in range(4):
        store.open()
        first = 1000 * SHORT.slots + lap * SHORT.slots
        for ring in RINGS:
            keys = (Key(did(n), ring, first + s) for n in range(2) for s in range(ring.slots))
            await store.add(dict.fromkeys(keys, ONE))
        await store.close()
        sizes.append((folder / NAME).stat().st_size)
    assert sizes[2] == sizes[3]
    assert sizes[3] < 2 * 1008 * 60


async def test_nothing_is_left_of_a_forgotten_node(store: HistoryStore) -> None:
    await store.add({**at(did(1), 7), Key(did(1), LONG, 3): ONE, **at(did(2), 7)})
    await store.forget(did(1))
    await store.forget(did(3))
    await store.add(at(did(1), 8))
    assert await store.read(did(1), SHORT, range(10)) == {8: ONE}
    assert await store.read(did(2), SHORT, range(10)) == {7: ONE}


async def test_only_members_are_kept(store: HistoryStore, folder: Path) -> None:
    await store.add({**at(did(1), 7), **at(did(2), 7), **at(did(3), 7)})
    await store.keep_only({did(2), did(9)})
    await store.close()
    assert historystore.look(folder) == 1
    with closing(sqlite3.connect(folder / NAME)) as file:
        assert file.execute("SELECT count(*) FROM slot").fetchone() == (1,)


async def test_invariant_7_only_so_many_nodes_have_a_history(
    store: HistoryStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PEERS", 2)
    await store.add({key: sums for number in range(5) for key, sums in at(did(number), 7).items()})
    await store.add(at(did(9), 7))
    await store.close()
    assert historystore.look(folder) == 3, "the members, and this node"


async def test_without_an_agent_the_file_is_read_and_not_changed(folder: Path) -> None:
    assert historystore.look(folder) is None
    assert historystore.read_file(folder, [did(1)], SHORT, range(10)) is None
    store = HistoryStore(folder)
    store.open()
    await store.add(at(did(1), 7))
    await store.close()
    before = (folder / NAME).read_bytes()
    assert historystore.read_file(folder, [did(1), did(2)], SHORT, range(10)) == [{7: ONE}, {}]
    assert (folder / NAME).read_bytes() == before
    assert [path.name for path in folder.iterdir()] == [NAME]


async def test_a_removal_without_an_agent_takes_the_rows_away(folder: Path) -> None:
    historystore.forget_in_file(folder, did(1))
    assert list(folder.iterdir()) == []
    store = HistoryStore(folder)
    store.open()
    await store.add({**at(did(1), 7), **at(did(2), 7)})
    await store.close()
    historystore.forget_in_file(folder, did(1))
    assert historystore.read_file(folder, [did(1), did(2)], SHORT, range(10)) == [{}, {7: ONE}]


async def test_a_file_of_a_newer_version_is_not_touched(folder: Path) -> None:
    store = HistoryStore(folder)
    store.open()
    await store.close()
    with closing(sqlite3.connect(folder / NAME)) as file:
        file.execute("PRAGMA user_version = 99")
        file.commit()
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with pytest.raises(StoreNewer):
        store.open()
    with pytest.raises(StoreNewer):
        historystore.look(folder)
    assert store.set_aside is None


async def test_a_damaged_file_is_set_aside_and_begun_anew(folder: Path) -> None:
    (folder / NAME).write_bytes(b"garbage")
    (folder / NAME).chmod(0o600)
    with pytest.raises(StoreDamaged):
        historystore.look(folder)
    store = HistoryStore(folder)
    store.open()
    assert store.set_aside is not None
    assert (folder / store.set_aside).read_bytes() == b"garbage"
    await store.add(at(did(1), 7))
    await store.close()


async def test_whatever_is_garbled_reading_and_writing_end_in_an_error_of_ours_or_in_sense(
    folder: Path,
) -> None:
    assert 0 < await garbled(folder, FLIPS) < FLIPS


async def garbled(folder: Path, times: int) -> int:
    """Garble a file so many times, each time anew; how often it was refused. Raises for anything else."""
    store = HistoryStore(folder)
    store.open()
    for ring in RINGS:
        await store.add({Key(did(n), ring, s): ONE for n in range(4) for s in range(0, ring.slots, 5)})
    await store.close()
    sound = (folder / NAME).read_bytes()
    chance = random.Random(times)
    refused = 0
    for _ in range(times):
        (folder / NAME).write_bytes(sound)
        for _ in range(chance.randint(1, 4)):
            size = chance.choice((1, 1, 2, 16, 500))
            put(folder / NAME, chance.randrange(len(sound)), chance.randbytes(size))
        if chance.random() < 0.2:
            os.truncate(folder / NAME, chance.randrange(len(sound)))
        refused += await _all_is_well(folder)
        for path in folder.iterdir():
            if path.name != NAME:
                path.unlink()
    return refused


async def _all_is_well(folder: Path) -> bool:
    """Whether the file was refused, by a reader without an agent or by the agent; anything else raises."""
    refused = False
    try:
        historystore.read_file(folder, [did(n) for n in range(4)], SHORT, range(300))
    except EnigmaError:
        refused = True
    store = HistoryStore(folder)
    try:
        store.open()
    except EnigmaError:
        return True
    try:
        await store.add({Key(did(n), ring, 1000): ONE for n in range(5) for ring in RINGS})
        for ring in RINGS:
            for sums in (await store.read(did(1), ring, range(2000))).values():
                assert sums.makes_sense
        await store.keep_only({did(1)})
    except EnigmaError:
        refused = True
    finally:
        await store.close()
    return refused
