"""A registry put together: several listeners, what runs beside them, its end."""

from __future__ import annotations

import asyncio
import os

from enigma_fed.base.tasks import Tasks
from enigma_fed.registry.clientaddress import ClientKey
from enigma_fed.registry.doors import Door
from enigma_fed.registry.serving import make_registry
from enigma_fed.registry.storememory import MemoryStore
from enigma_fed.wire.registrybodies import Presence
from tests.support.manualclock import ManualClock
from tests.support.registryserver import OWN, registry, settings
from tests.support.registryusers import User

ALICE = User("alice")


async def test_presences_that_expired_are_cleared_away() -> None:
    async with registry() as caller:
        await caller.register(ALICE.identity())
        service = caller.server.registry
        service.announce(Presence(ALICE.id, "here", 1).encode(), ClientKey("198.51.100.1"))
        tasks = Tasks()
        caller.server.start(tasks)
        await settled()
        for _ in range(5):
            assert len(service.presences) == 1
            caller.clock.advance(60)
            await settled()
        assert len(service.presences) == 0
        await tasks.close()


async def settled() -> None:
    """Let what is ready run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_listeners_share_the_registry_but_not_their_places() -> None:
    server = make_registry(settings(), MemoryStore(), OWN, ManualClock(), os.urandom)
    listeners = [server.server(door) for door in Door]
    assert server.did == OWN.did
    assert len({id(listener.places) for listener in listeners}) == len(listeners)
    await server.close()


async def test_a_challenge_is_offered_where_nothing_else_tells_callers_apart() -> None:
    for door, status in ((Door.TCP, 404), (Door.CIRCUIT, 404), (Door.ONION, 200)):
        async with registry(door=door) as caller:
            assert (await caller.ask("GET", "/pow/challenge")).status == status
