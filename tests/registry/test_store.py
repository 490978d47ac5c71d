"""The contract of a registry's store, over every store that there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import IdentityConflict, Unavailable
from enigma_fed.identity.signing import verify
from enigma_fed.registry.store import LogEntry, Record, Registered, RegistryStore
from enigma_fed.registry.storememory import MemoryStore
from enigma_fed.registry.storesqlite import SqliteStore
from enigma_fed.wire.ownerchange import check_chain
from enigma_fed.wire.ownerstatement import Action
from tests.support.ownerchanges import log, rotated, updated
from tests.support.registryusers import NOW_MS, User

ALICE, BOB = User("alice"), User("bob")


def record(user: User, **changes: Any) -> Record:
    """A registration; `changes` are of the identity."""
    identity = user.identity(**changes)
    return Record(user_id=user.id, identity_bytes=identity.encode(), registered_ms=NOW_MS)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RegistryStore]:
    opened: RegistryStore = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "registry")
    opened.open()
    yield opened
    await opened.close()


async def test_what_is_registered_is_found(store: RegistryStore) -> None:
    assert (store.find(ALICE.id), store.count) == (None, 0)
    assert await store.register(record(ALICE)) is Registered.CREATED
    assert store.find(ALICE.id) == record(ALICE)
    assert store.find(BOB.id) is None
    assert (store.has(ALICE.id), store.has(BOB.id)) == (True, False)
    assert store.count == 1


async def test_weakness_04_the_same_identity_again_changes_nothing_and_another_is_a_conflict(
    store: RegistryStore,
) -> None:
    await store.register(record(ALICE))
    assert await store.register(replace(record(ALICE), registered_ms=NOW_MS + 1)) is Registered.SAME
    later = record(ALICE, created_at_ms=NOW_MS + 1)
    assert await store.register(later) is Registered.SAME, "some clients write the time of each start"
    assert await store.register(record(ALICE, signature=b"another")) is Registered.CONFLICT
    assert store.find(ALICE.id) == record(ALICE)
    assert store.count == 1


async def test_of_those_who_come_at_once_each_is_told_its_own(store: RegistryStore) -> None:
    others = [record(User(f"user {number}")) for number in range(40)]
    told = await asyncio.gather(
        store.register(record(ALICE)),
        *map(store.register, others),
        store.register(record(ALICE, signature=b"another")),
        store.register(record(ALICE)),
    )
    assert told == [Registered.CREATED] * 41 + [Registered.CONFLICT, Registered.SAME]
    assert store.count == 41
    assert store.find(others[-1].user_id) == others[-1]


async def test_a_registration_is_what_was_registered_and_nothing_more(store: RegistryStore) -> None:
    await store.register(replace(record(ALICE), changed=bytes(32), revoked=True))
    assert store.find(ALICE.id) == record(ALICE)


async def changed(store: RegistryStore, user: User, entry: LogEntry, new: bytes) -> bool:
    """Make a change, as a service does; its entry names the head that it was made for."""
    known = store.find(user.id)
    assert known is not None
    revoked = entry.action is Action.REVOKE
    made = replace(known, identity_bytes=new, revoked=revoked)
    return await store.change(user.id, entry.previous, made, entry)


async def test_a_log_has_every_change_from_the_registration_on(store: RegistryStore) -> None:
    await store.register(record(ALICE))
    entries = log(ALICE)
    assert store.log(ALICE.id) == (entries[0],)
    steps = [updated(ALICE).encode(), rotated(ALICE).encode(), b""]
    for number, (entry, identity) in enumerate(zip(entries[1:], steps, strict=True), 2):
        assert await changed(store, ALICE, entry, identity)
        assert store.log(ALICE.id) == tuple(entries[:number])
        found = store.find(ALICE.id)
        assert found is not None
        assert (found.identity_bytes, found.head, found.registered_ms) == (identity, entry.hash, NOW_MS)
    assert check_chain(store.log(ALICE.id), verify) == entries[-1]
    assert store.log(BOB.id) == ()


async def test_a_change_for_another_head_is_not_made(store: RegistryStore) -> None:
    entries, new = log(ALICE), updated(ALICE).encode()
    assert not await store.change(ALICE.id, entries[0].hash, record(ALICE), entries[1]), "nobody is there"
    await store.register(record(ALICE))
    assert not await changed(store, ALICE, entries[2], new)
    assert store.find(ALICE.id) == record(ALICE)
    twice = await asyncio.gather(*(changed(store, ALICE, entries[1], new) for _ in range(2)))
    assert sorted(twice) == [False, True], "a statement is good once"
    assert store.log(ALICE.id) == tuple(entries[:2])


async def test_a_revoked_handle_stays_taken_for_good(store: RegistryStore) -> None:
    await store.register(record(ALICE))
    entries = log(ALICE)
    for entry, identity in zip(
        entries[1:], (updated(ALICE).encode(), rotated(ALICE).encode(), b""), strict=True
    ):
        await changed(store, ALICE, entry, identity)
    found = store.find(ALICE.id)
    assert found is not None
    assert (found.revoked, found.identity_bytes, store.has(ALICE.id)) == (True, b"", True)
    for offered in (record(ALICE), replace(record(ALICE), identity_bytes=rotated(ALICE).encode())):
        assert await store.register(offered) is Registered.CONFLICT
    assert await store.merge([record(ALICE)]) == 0
    assert store.find(ALICE.id) == found


async def test_after_a_change_the_first_identity_is_not_the_same_any_more(store: RegistryStore) -> None:
    await store.register(record(ALICE))
    await changed(store, ALICE, log(ALICE)[1], rotated(ALICE).encode())
    assert await store.register(record(ALICE)) is Registered.CONFLICT
    now = replace(record(ALICE), identity_bytes=rotated(ALICE).encode())
    assert await store.register(now) is Registered.SAME


async def test_invariant_7_a_log_ends_before_its_limit_and_a_revocation_still_fits(
    store: RegistryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries, new = log(ALICE), updated(ALICE).encode()
    await store.register(record(ALICE))
    monkeypatch.setattr(registry_limits, "LOG_ENTRIES", 3)
    assert await changed(store, ALICE, entries[1], new), "the second of three"
    with pytest.raises(IdentityConflict):
        await changed(store, ALICE, entries[2], new)
    assert store.log(ALICE.id) == tuple(entries[:2])
    last = replace(entries[3], previous=entries[1].hash)
    assert await changed(store, ALICE, last, b"")
    assert store.log(ALICE.id) == (*entries[:2], last)


async def test_invariant_7_a_log_of_large_keys_ends_earlier(
    store: RegistryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries, new = log(ALICE), updated(ALICE).encode()
    await store.register(record(ALICE))
    assert await changed(store, ALICE, entries[1], new)
    monkeypatch.setattr(registry_limits, "LOG_KEPT_BYTES", sum(len(each.encode()) for each in entries[:2]))
    with pytest.raises(IdentityConflict):
        await changed(store, ALICE, entries[2], new)
    monkeypatch.setattr(registry_limits, "LOG_KEPT_BYTES", 2**20)
    assert await changed(store, ALICE, entries[2], new)


async def test_a_merge_takes_the_new_ones_and_the_first_of_each(store: RegistryStore) -> None:
    await store.register(record(ALICE))
    offered = [record(ALICE, signature=b"another"), record(BOB), record(BOB, signature=b"second")]
    assert await store.merge(offered) == 1
    assert await store.merge(offered) == 0
    assert store.find(ALICE.id) == record(ALICE), "what is there is never overwritten"
    assert store.find(BOB.id) == record(BOB)
    assert await store.merge([]) == 0


async def test_weakness_23_nodes_are_listed_in_the_order_of_their_arrival(store: RegistryStore) -> None:
    assert store.nodes() == ()
    assert await store.add_nodes(["https://b.example", "https://a.example", "https://b.example"], 10) == 2
    assert await store.add_nodes(["https://a.example", "https://c.example", "https://d.example"], 3) == 1
    assert store.nodes() == ("https://b.example", "https://a.example", "https://c.example")
    assert await store.drop_nodes(["https://a.example", "https://a.example", "https://e.example"]) == 1
    assert await store.add_nodes(["https://a.example"], 3) == 1
    assert store.nodes() == ("https://b.example", "https://c.example", "https://a.example")


class Full:
    """Stores that hold the registrations of two users, and not of three.

    As they are made otherwise: STORE_MEMORY_BYTES, IDENTITIES, STORE_BYTES.
    """

    @staticmethod
    def memory(_: Path) -> RegistryStore:
        return MemoryStore(most_bytes=2 * len(record(ALICE).identity_bytes) + 3 * 1024)

    @staticmethod
    def counted(folder: Path) -> RegistryStore:
        return SqliteStore(folder, most=2)

    @staticmethod
    def weighed(folder: Path) -> RegistryStore:
        return SqliteStore(folder, most_bytes=8 * 4096)


@pytest.mark.parametrize("full", [Full.memory, Full.counted, Full.weighed])
async def test_invariant_7_a_full_store_takes_no_new_handle_and_goes_on_with_what_it_has(
    full: Any, tmp_path: Path
) -> None:
    store: RegistryStore = full(tmp_path / "registry")
    store.open()
    carol = record(User("carol"))
    assert await store.register(record(ALICE)) is Registered.CREATED
    with pytest.raises(Unavailable):
        await store.merge([record(BOB), carol])
    assert store.count == 1, "all of them or none"
    assert await store.merge([record(BOB)]) == 1
    told = await asyncio.gather(store.register(carol), store.register(record(ALICE)), return_exceptions=True)
    assert isinstance(told[0], Unavailable)
    assert told[0].retry_after
    assert told[1] is Registered.SAME
    assert (store.count, store.find(carol.user_id)) == (2, None)
    assert await changed(store, ALICE, log(ALICE)[1], updated(ALICE).encode())
    await store.close()
