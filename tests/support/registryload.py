"""A process that registers and changes identities and tells what it was told: `FOLDER NUMBER [careless]`.

It writes `register N` and `change N` to standard output, after the acknowledgement. `careless` leaves out the
fsync of each commit: a test of the tests.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from enigma_fed.registry import storesqlite
from enigma_fed.registry.store import LogEntry, Record, Registered, RegistryStore
from enigma_fed.registry.storesqlite import SqliteStore
from enigma_fed.storage.sqlite import Database
from enigma_fed.storage.sqlitefile import Connection, Synchronous
from enigma_fed.wire.ownerstatement import Action
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.userid import UserId

AT_ONCE: Final = 6
_CHANGED: Final = 3
"""Every third one is changed after its registration."""
_LOG_PAGES: Final = 40
"""Pages of the log from which on it is brought into the file: a thousand otherwise."""


def identity(number: int, *, changed: bool = False) -> PublicIdentity:
    """That of one of many users, before or after its change."""
    return PublicIdentity(
        user_id=UserId(number.to_bytes(32, "big")),
        username_hint=None,
        signing_public_key=number.to_bytes(32, "little"),
        encryption_public_key=bytes(32),
        signature=b"x",
        created_at_ms=2 if changed else 1,
    )


def record(number: int) -> Record:
    """Its registration."""
    known = identity(number)
    return Record(user_id=known.user_id, identity_bytes=known.encode(), registered_ms=number + 1)


def entry(number: int) -> LogEntry:
    """Its change."""
    first, new = record(number).first_entry(), identity(number, changed=True)
    return replace(
        first, seq=1, action=Action.UPDATE, at_ms=number + 2, identity=new.digest, previous=first.hash
    )


def say(word: str, number: int) -> None:
    """One line, by one system call."""
    os.write(1, f"{word} {number}\n".encode())


async def register(store: RegistryStore, number: int) -> None:
    """Register, change some, and tell each."""
    known = record(number)
    assert await store.register(known) is Registered.CREATED
    say("register", number)
    if number % _CHANGED == 0:
        new = replace(known, identity_bytes=identity(number, changed=True).encode())
        assert await store.change(known.user_id, known.head, new, entry(number))
        say("change", number)


async def work(folder: Path, begin: int, count: int) -> None:
    """Register `count` users from number `begin` on, several at once."""
    store = SqliteStore(folder)
    store.open()
    await store._database.write(_short_log)
    numbers = iter(range(begin, begin + count))

    async def caller() -> None:
        for number in numbers:
            await register(store, number)

    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    await store.close()


def _short_log(connection: Connection) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}").fetchall()


def check(store: RegistryStore, acknowledged: set[tuple[str, int]]) -> list[str]:
    """What of the acknowledged is not there, or not as it was; empty: nothing was lost."""
    return [f"{word} {number}" for word, number in acknowledged if not _holds(store, word, number)]


def _holds(store: RegistryStore, word: str, number: int) -> bool:
    found = store.find(record(number).user_id)
    if found is None or found.registered_ms != number + 1:
        return False
    changed = found.identity_bytes == identity(number, changed=True).encode()
    log = (record(number).first_entry(), entry(number))
    if changed != (found.changed == log[1].hash) or store.log(found.user_id) != log[: 1 + changed]:
        return False
    return changed or (word == "register" and found == record(number))


def main(folder: str, count: str, careless: str = "") -> None:
    """What the command line asks for."""
    with pytest.MonkeyPatch.context() as patch:
        if careless:
            patch.setattr(storesqlite, "Database", partial(Database, synchronous=Synchronous.NORMAL))
        asyncio.run(work(Path(folder), 0, int(count)))


if __name__ == "__main__":
    main(*sys.argv[1:])
