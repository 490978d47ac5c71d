"""A registry with a memory store on a loopback port, and requests to it as its clients send them."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from enigma_fed.registry.doors import Door
from enigma_fed.registry.serving import RegistryServer, make_registry
from enigma_fed.registry.settings import EnvelopeKey, EnvelopeSettings, RateLimitSettings, RegistrySettings
from enigma_fed.registry.store import RegistryStore
from enigma_fed.registry.storememory import MemoryStore
from enigma_fed.wire import envelope as envelopes
from enigma_fed.wire.envelope import Envelope
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registrybodies import RegisterRequest, ResolveRequest
from enigma_fed.wire.userid import UserId
from tests.support.manualclock import ManualClock
from tests.support.registryusers import KID, PEPPER, SERVER_SECRET
from tests.support.signedcalls import key

KEY = EnvelopeKey(kid=KID, private_key=SERVER_SECRET, active=True)
OPEN = RateLimitSettings(enabled=False)
"""Nobody is counted."""
OWN = key(77)
"""The registry's own key."""


def settings(**changes: Any) -> RegistrySettings:
    """Settings of a registry that counts nobody, unless told otherwise."""
    plain: dict[str, Any] = {
        "address": None,
        "envelope": EnvelopeSettings(pepper=PEPPER, keys=(KEY,)),
        "rate_limit": OPEN,
    }
    return RegistrySettings(**{**plain, **changes})


def registration(
    who: PublicIdentity, to: EnvelopeKey = KEY, handle: UserId | None = None, plaintext: bytes | None = None
) -> bytes:
    """The body of a `/register`."""
    secret, nonce = os.urandom(32), os.urandom(24)
    user = handle or who.user_id
    shared = envelopes.shared_secret(secret, envelopes.public_key(to.private_key), "")
    sealed_with = envelopes.envelope_key(PEPPER, user, shared)
    ciphertext = envelopes.seal(sealed_with, user, nonce, who.encode() if plaintext is None else plaintext)
    envelope = Envelope(to.kid, envelopes.public_key(secret), nonce, ciphertext)
    return RegisterRequest(user, envelope).encode()


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str, str | None]:
        """Status, code and field of an error."""
        error = self.json["error"]
        return self.status, error["code"], error.get("details", {}).get("field")


class RegistryCaller:
    """Asks one registry."""

    def __init__(self, server: RegistryServer, clock: ManualClock, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.clock = clock
        self._session = session
        self.url = ""
        self.port = 0

    async def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, JSON if it has a body."""
        fields = {"Content-Type": "application/json"} if body is not None else {}
        fields.update(headers or {})
        async with self._session.request(method, self.url + path, data=body, headers=fields) as reply:
            return Answer(reply.status, reply.headers, await reply.read())

    async def register(self, who: PublicIdentity, **how: Any) -> Answer:
        """Register an identity."""
        return await self.ask("POST", "/register", registration(who, **how))

    async def resolve(self, user: UserId, headers: Mapping[str, str] | None = None) -> PublicIdentity | None:
        """The identity of a handle, out of its envelope."""
        secret = os.urandom(32)
        body = ResolveRequest(user, envelopes.public_key(secret)).encode()
        answer = await self.ask("POST", "/resolve", body, headers)
        assert answer.status == 200, answer.body
        assert answer.json["handle"] == user.hex
        found = answer.json["envelope"]
        if found is None:
            return None
        envelope = Envelope.from_object(found)
        shared = envelopes.shared_secret(secret, envelope.sender_public_key, "")
        sealed_with = envelopes.envelope_key(PEPPER, user, shared)
        return PublicIdentity.decode(envelopes.unseal(sealed_with, user, envelope.nonce, envelope.ciphertext))


@asynccontextmanager
async def registry(
    made: RegistrySettings | None = None, *, door: Door = Door.TCP, store: RegistryStore | None = None
) -> AsyncIterator[RegistryCaller]:
    """A registry that serves, and somebody who asks it."""
    clock = ManualClock()
    kept = store or MemoryStore()
    kept.open()
    server = make_registry(made or settings(), kept, OWN, clock, os.urandom)
    runner = web.ServerRunner(server.server(door), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        caller = RegistryCaller(server, clock, session)
        caller.port = runner.addresses[0][1]
        caller.url = f"http://127.0.0.1:{caller.port}"
        try:
            yield caller
        finally:
            await runner.cleanup()
            await server.close()
