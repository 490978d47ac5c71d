"""Endpoints on loopback ports, and client sessions that find them under onion names."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict, CIMultiDictProxy

from enigma_fed.base import limits
from enigma_fed.base.ids import OnionAddress
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.client import Reply as ClientReply
from enigma_fed.rpc.client import RpcClient, SigningRequest
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.transports.replybounds import bound_replies
from enigma_fed.wire.jsonrpc import BodyForm
from tests.support.manualclock import ManualClock
from tests.support.signedcalls import (
    FakeDoorkeeper,
    Plain,
    call_body,
    key,
    legacy_methods,
    methods,
    onion,
    signed_fields,
)


class OnionResolver(AbstractResolver):
    """Resolves onion names to loopback ports; anything else is not found."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in self.ports:
            raise OSError("no such onion")
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": self.ports[host],
                "family": socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
        ]

    async def close(self) -> None:
        pass


class Reply:
    """What came back to a request."""

    def __init__(self, status: int, headers: CIMultiDictProxy[str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Wire:
    """One session for plain requests and for a client, and the names it finds."""

    def __init__(self, resolver: OnionResolver, session: aiohttp.ClientSession) -> None:
        self.resolver = resolver
        self.session = session

    def client(self, key: NodeKey, clock: ManualClock) -> RpcClient:
        return RpcClient(key, self.session, clock, os.urandom)

    async def post(
        self,
        onion: OnionAddress,
        body: bytes | AsyncIterator[bytes],
        headers: Mapping[str, str] | CIMultiDict[str],
        target: str = "/rpc/v1",
        method: str = "POST",
    ) -> Reply:
        url = f"http://{onion}{target}"
        async with self.session.request(
            method,
            url,
            data=body,
            headers=headers,
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),
        ) as response:
            return Reply(response.status, response.headers, await response.read())


@asynccontextmanager
async def wire() -> AsyncIterator[Wire]:
    """A session whose requests are signed on their connection, as the agent's are."""
    resolver = OnionResolver()
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
    bound_replies(connector)
    async with aiohttp.ClientSession(connector=connector, request_class=SigningRequest) as session:
        yield Wire(resolver, session)


@asynccontextmanager
async def serving(server: web.BaseRunner) -> AsyncIterator[int]:
    """Serve on a free loopback port; yields the port."""
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    try:
        yield server.addresses[0][1]
    finally:
        await server.cleanup()


@asynccontextmanager
async def raw_server(handle: Any) -> AsyncIterator[int]:
    """A plain TCP server on loopback whose connections go to `handle(reader, writer)`."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def endpoint(
    key: NodeKey, doorkeeper: FakeDoorkeeper, clock: ManualClock, log: list[str] | None = None
) -> RpcEndpoint:
    """An endpoint with the methods of tests.support.signedcalls, in its first 180 s."""
    return RpcEndpoint(key, methods(log), doorkeeper, clock, os.urandom, legacy_methods=legacy_methods(log))


class Pair:
    """A's client, and B's endpoint with a clock of its own."""

    def __init__(self, wires: Wire) -> None:
        self.wires = wires
        self.key, self.peer = key(1), key(2)
        self.clock = ManualClock()
        self.peer_clock = ManualClock()
        self.doorkeeper = FakeDoorkeeper(self.peer.did, members=[self.key.did])
        self.log: list[str] = []
        self.endpoint = endpoint(self.peer, self.doorkeeper, self.peer_clock, self.log)
        self.peer_clock.advance(limits.CHALLENGE_AFTER_START)
        self.clock.advance(limits.CHALLENGE_AFTER_START)
        self.client: RpcClient = wires.client(self.key, self.clock)
        self.requests: list[CIMultiDict[str]] = []
        self.on_request: Callable[[], None] = lambda: None

    def restart(self) -> None:
        """Start B anew."""
        self.endpoint = endpoint(self.peer, self.doorkeeper, self.peer_clock, self.log)

    async def call(
        self,
        method: str = "federation.get-state",
        read: Callable[[object], Any] = lambda obj: obj,
        **more: Any,
    ) -> ClientReply[Any]:
        return await self.client.call(self.peer.did, onion(2), method, Plain({"x": 1}), read, **more)

    async def noting(self, request: web.BaseRequest) -> web.StreamResponse:
        """B's endpoint, with what it was sent kept."""
        self.requests.append(CIMultiDict(request.headers))
        self.on_request()
        return await self.endpoint.handle(request)

    def listen(self, port: int) -> None:
        self.wires.resolver.ports[str(onion(2))] = port


class Server:
    """key(2)'s endpoint, past its first three minutes, and a session to it."""

    def __init__(self, wires: Wire) -> None:
        self.wires = wires
        self.own = key(2)
        self.clock = ManualClock()
        self.doorkeeper = FakeDoorkeeper(self.own.did, members=[key(1).did], removed=[key(5).did])
        self.log: list[str] = []
        self.endpoint = endpoint(self.own, self.doorkeeper, self.clock, self.log)
        self.clock.advance(limits.CHALLENGE_AFTER_START)

    async def send(self, fields: CIMultiDict[str], body: bytes | AsyncIterator[bytes], **more: Any) -> Reply:
        return await self.wires.post(onion(2), body, fields, **more)

    async def call(
        self,
        method: str = "federation.get-state",
        params: dict[str, object] | None = None,
        sender: NodeKey | None = None,
        form: BodyForm = BodyForm.JSON,
    ) -> tuple[CIMultiDict[str], Reply]:
        body = call_body(method, params, form)
        fields = signed_fields(sender or key(1), self.own.did, body, self.clock.wall(), form=form)
        return fields, await self.send(fields, body)
