"""A registry's database with bytes changed anywhere: an error of ours, or the truth; never another answer."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Final

from enigma_fed.base.errors import EnigmaError, StoreDamaged
from enigma_fed.registry.store import Registered
from enigma_fed.registry.storesqlite import SqliteStore
from tests.registry.test_store import changed, record
from tests.support.ownerchanges import log, updated
from tests.support.registryusers import User
from tests.support.sqlitefiles import put

TIMES: Final = 60
USERS: Final = [User(f"user {number}") for number in range(12)]
NEW: Final = User("somebody new")


async def filled(folder: Path) -> None:
    """Some who registered, the first of them changed."""
    store = SqliteStore(folder)
    store.open()
    for user in USERS:
        await store.register(record(user))
    await changed(store, USERS[0], log(USERS[0])[1], updated(USERS[0]).encode())
    await store.close()


async def garbled(folder: Path, times: int) -> int:
    """Garble the file so many times, each time anew: how often a start refused it. A wrong answer raises."""
    sound = folder / "sound"
    await filled(sound)
    size, chance, refused = (sound / "registry.db").stat().st_size, random.Random(times), 0
    for number in range(times):
        path = folder / f"garbled {number}"
        shutil.copytree(sound, path)
        for _ in range(chance.randint(1, 3)):
            length = chance.choice((1, 1, 2, 16, 500))
            put(path / "registry.db", chance.randrange(size), chance.randbytes(length))
        if chance.random() < 0.1:
            os.truncate(path / "registry.db", chance.randrange(size))
        refused += await refuses(path)
        shutil.rmtree(path)
    return refused


async def refuses(folder: Path) -> bool:
    """Whether a start refuses the file; if not, each answer is the truth or an error."""
    store = SqliteStore(folder)
    try:
        store.open()
    except EnigmaError:
        return True
    try:
        for user in USERS[1:]:
            try:
                assert store.find(user.id) == record(user)
            except StoreDamaged:
                continue
        try:
            assert store.log(USERS[0].id) == tuple(log(USERS[0])[:2])
            assert await store.register(record(NEW)) is Registered.CREATED
            assert store.find(NEW.id) == record(NEW)
        except EnigmaError:
            pass
    finally:
        await store.close()
    return False


async def test_invariant_5_whatever_is_garbled_no_answer_is_another(tmp_path: Path) -> None:
    assert 0 < await garbled(tmp_path, TIMES) < TIMES
