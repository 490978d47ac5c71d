"""One person at one registry of this program, over a wire that loses and changes answers as a test wants."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from enigma_fed.base.clock import SystemClock
from enigma_fed.base.registry_client_errors import (
    RegistryUnreachable,
)
from enigma_fed.registry.client import RegistryClient
from enigma_fed.registry.clientcalls import Calls, Patience
from enigma_fed.registry.clientchanges import OwnerChanges
from enigma_fed.registry.clienthttp import Answer, RegistryHttp, direct_session
from enigma_fed.registry.clientowner import OwnerClient
from enigma_fed.registry.clientplace import Place
from enigma_fed.registry.clientstores import ClientStores
from enigma_fed.registry.clientwork import ClientWork
from enigma_fed.wire.ownidentity import OwnIdentity, new_identity
from enigma_fed.wire.userid import UserId
from tests.support.registryserver import RegistryCaller, registry
from tests.support.registryusers import PEPPER

NOW_MS = 1_800_000_000_000
URL = "https://a.example"
Tamper = Callable[[str, Answer], Answer]


def person(name: str = "alice") -> OwnIdentity:
    """Somebody with fresh keys."""
    return new_identity(name, os.urandom, NOW_MS)


class Wire(RegistryHttp):
    """Requests that a test can look at, lose or change the answers of."""

    def __init__(self, place: Place, session: object) -> None:
        super().__init__(place, session)  # type: ignore[arg-type]
        self.lost = 0
        """Answers to `/v1/change` that are still to be lost."""
        self.tamper: Tamper = lambda path, answer: answer
        self.before: Callable[[str], None] = lambda path: None
        self.paths: list[str] = []

    async def ask(
        self, method: str, path: str, body: bytes | None = None, fields: Mapping[str, str] | None = None
    ) -> Answer:
        self.paths.append(path)
        self.before(path)
        answer = await super().ask(method, path, body, fields)
        if path == "/v1/change" and self.lost:
            self.lost -= 1
            raise RegistryUnreachable("the answer got lost")
        return self.tamper(path, answer)


class At:
    """One person at one registry."""

    def __init__(self, wire: Wire, stores: ClientStores) -> None:
        self.wire = wire
        self.stores = stores
        calls = Calls(wire, Now(), _no_work, Patience())
        client = RegistryClient(calls, PEPPER, os.urandom, lambda: NOW_MS)
        self.owner = OwnerClient(client, os.urandom)
        self.work = ClientWork(client, self.owner, stores, URL, lambda: NOW_MS / 1000)
        self.changes = OwnerChanges(self.work, self.owner, os.urandom, lambda: NOW_MS)

    async def registered(self, name: str = "alice") -> OwnIdentity:
        """An identity that is kept here and registered there."""
        own = person(name)
        with self.stores.locked():
            self.stores.create(own)
        await self.work.register(own)
        return self.own(name)

    def own(self, name: str = "alice") -> OwnIdentity:
        return self.stores.own(UserId.of(name))

    async def held(self, name: str = "alice") -> bytes | None:
        """Digest of what the registry gives."""
        found = await self.work.client.resolve(UserId.of(name))
        return None if found is None else found.digest


class Now(SystemClock):
    """Nobody waits."""

    async def sleep(self, seconds: float) -> None:
        return None


async def _no_work(challenge: str, difficulty: int, seconds: float) -> str:
    raise AssertionError("nobody asked for work")


@asynccontextmanager
async def at(folder: Path) -> AsyncIterator[tuple[At, RegistryCaller]]:
    async with registry() as caller:
        place = Place.parse(caller.url)
        async with direct_session(None) as session:
            yield At(Wire(place, session), ClientStores(folder / "registry-identities")), caller
