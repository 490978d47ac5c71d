"""Registering and resolving, with what is kept of it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from enigma_fed.base.registry_client_errors import HandleTaken, KeysChanged, NotRegistered
from enigma_fed.registry.clientowner import OwnerClient
from enigma_fed.registry.clientrules import Keys
from enigma_fed.registry.clientstores import ClientStores
from enigma_fed.registry.clientwork import ClientWork
from enigma_fed.wire.ownidentity import OwnIdentity, renewed
from tests.registry.test_client import asking
from tests.support.registryperson import NOW_MS, person
from tests.support.smallregistry import SmallRegistry, said


@pytest.fixture
def stores(tmp_path: Path) -> ClientStores:
    return ClientStores(tmp_path / "registry-identities")


def kept(stores: ClientStores, name: str = "alice") -> OwnIdentity:
    own = person(name)
    with stores.locked():
        stores.create(own)
    return own


@asynccontextmanager
async def working(registry: SmallRegistry, stores: ClientStores) -> AsyncIterator[ClientWork]:
    async with asking(registry) as client:
        owner = OwnerClient(client, os.urandom)
        yield ClientWork(client, owner, stores, "https://a.example", lambda: 1_800_000_000)


async def test_registering_is_noted_and_twice_is_no_mistake(stores: ClientStores) -> None:
    own = kept(stores)
    async with working(SmallRegistry(), stores) as work:
        assert await work.register(own)
        noted = stores.own(own.user_id).registered_at("https://a.example")
        assert noted is not None
        assert noted.identity == own.public().digest
        assert not await work.register(own)  # the server of before refuses it with 409


async def test_a_name_of_somebody_else(stores: ClientStores) -> None:
    own = kept(stores)
    async with working(SmallRegistry(), stores) as work:
        await work.client.register(person().public())
        with pytest.raises(HandleTaken, match="somebody else"):
            await work.register(own)
    assert stores.own(own.user_id).registrations == ()


async def test_a_registry_with_former_keys(stores: ClientStores) -> None:
    own = kept(stores)
    async with working(SmallRegistry(), stores) as work:
        await work.register(own)
        newer = own.with_keys(renewed(own.keys[0], os.urandom, NOW_MS, signing=True))
        with pytest.raises(HandleTaken, match=r"former keys.*registry rotate NAME"):
            await work.register(newer)


async def test_a_handle_that_is_taken_and_resolves_to_nobody(stores: ClientStores) -> None:
    registry, own = SmallRegistry(), kept(stores)
    async with working(registry, stores) as work:
        await work.register(own)
        registry.identities[own.user_id.hex] = b""
        registry.always["/resolve"] = said({"handle": own.user_id.hex, "envelope": None})
        with pytest.raises(HandleTaken, match="revoked"):
            await work.register(own)


async def test_invariant_12_keys_are_remembered_and_others_are_refused(stores: ClientStores) -> None:
    registry, bob, other = SmallRegistry(), person("bob"), person("bob")
    async with working(registry, stores) as work:
        await work.client.register(bob.public())
        assert (await work.resolve(bob.user_id)).keys is Keys.NEW
        assert (await work.resolve(bob.user_id)).keys is Keys.SAME
        registry.identities[bob.user_id.hex] = other.public().encode()
        for _ in range(2):
            with pytest.raises(KeysChanged, match=r"nothing proves.*--accept-new-keys") as caught:
                await work.resolve(bob.user_id)
        assert bob.name not in str(caught.value)
        found = await work.resolve(bob.user_id, accept_new=True)
        assert (found.keys, found.identity) == (Keys.CHANGED, other.public())
        assert (await work.resolve(bob.user_id)).keys is Keys.SAME


async def test_invariant_12_other_keys_under_a_name_of_ours_are_refused(
    stores: ClientStores,
) -> None:
    own = kept(stores)
    async with working(SmallRegistry(), stores) as work:
        await work.client.register(person().public())
        with pytest.raises(KeysChanged, match="not your keys"):
            await work.resolve(own.user_id)
        assert stores.known().identities == ()
        assert (await work.resolve(own.user_id, accept_new=True)).keys is Keys.NEW
    async with working(SmallRegistry(), stores) as work:
        await work.register(own)
        assert (await work.resolve(own.user_id, accept_new=True)).identity == own.public()


async def test_another_prekey_under_the_same_keys_is_no_alarm(stores: ClientStores) -> None:
    registry, bob = SmallRegistry(), person("bob")
    async with working(registry, stores) as work:
        await work.client.register(bob.public())
        await work.resolve(bob.user_id)
        newer = msgspec.structs.replace(bob.keys[0], prekey_id=2, prekey_secret=os.urandom(32))
        registry.identities[bob.user_id.hex] = bob.public(newer).encode()
        assert (await work.resolve(bob.user_id)).keys is Keys.SAME
        known = stores.known().find("https://a.example", bob.user_id)
        assert known is not None
        assert known.identity == bob.public(newer).digest


async def test_nobody_of_that_name(stores: ClientStores) -> None:
    registry, bob = SmallRegistry(), person("bob")
    async with working(registry, stores) as work:
        with pytest.raises(NotRegistered, match="letter by letter"):
            await work.resolve(bob.user_id)
        await work.client.register(bob.public())
        await work.resolve(bob.user_id)
        registry.identities.clear()
        with pytest.raises(NotRegistered, match="may have revoked"):
            await work.resolve(bob.user_id)


async def test_forgetting_a_registration(stores: ClientStores) -> None:
    own = kept(stores)
    async with working(SmallRegistry(), stores) as work:
        await work.register(own)
        await work.forget(own.user_id)
    assert stores.own(own.user_id).registrations == ()
