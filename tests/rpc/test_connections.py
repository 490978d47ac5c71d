"""Bounds on what runs and is open at once, and cutting a peer off (invariants 6 and 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from enigma_fed.base import limits
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.wire.records import TrustLevel
from tests.support.rpcserver import Server, endpoint, serving, wire
from tests.support.signedcalls import FakeDoorkeeper, call_body, key, onion, signed_fields

A, B, OTHER = key(1), key(2), key(4)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with wire() as wires:
        made = Server(wires)
        async with serving(made.endpoint.runner()) as port:
            wires.resolver.ports[str(onion(2))] = port
            yield made


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the other side has closed the connection, which it has sent nothing more on."""
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True


class Waiting(FakeDoorkeeper):
    """Admits nobody before it is told to; says when the first waits and when it was cancelled."""

    def __init__(self, *members: Any) -> None:
        super().__init__(B.did, members=members)
        self.waits = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.go = asyncio.Event()

    async def admit(self, did: Any, method: str, trust: TrustLevel | None) -> None:
        self.waits.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def slow(server: Server) -> tuple[Waiting, RpcEndpoint]:
    doorkeeper = Waiting(A.did)
    made = endpoint(B, doorkeeper, server.clock, server.log)
    server.clock.advance(limits.CHALLENGE_AFTER_START)
    return doorkeeper, made


async def test_one_request_too_many_at_once_is_429(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUESTS_IN_FLIGHT", 1)
    doorkeeper, made = slow(server)
    async with serving(made.runner()) as port:
        server.wires.resolver.ports[str(onion(2))] = port
        first = asyncio.create_task(server.call())
        await doorkeeper.waits.wait()
        _, second = await server.call()
        assert second.status == 429
        assert b'"busy"' in second.body
        doorkeeper.go.set()
        assert (await first)[1].status == 200


async def test_one_connection_too_many_is_closed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS_INBOUND", 2)
    async with serving(server.endpoint.runner()) as port:
        open_ = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert await is_closed(open_[2][0])
        open_[0][1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"404" in await open_[0][0].readline()
        for _, writer in open_:
            writer.close()


async def test_invariant_6_cut_ends_what_runs_for_a_peer_and_its_connections(server: Server) -> None:
    doorkeeper, made = slow(server)
    async with serving(made.runner()) as port:
        server.wires.resolver.ports[str(onion(2))] = port
        call = asyncio.create_task(server.call())
        await doorkeeper.waits.wait()
        made.cut(A.did)
        with pytest.raises((aiohttp.ClientError, OSError)):
            await call
        await asyncio.wait_for(doorkeeper.cancelled.wait(), 5)
        assert server.log == []


async def test_invariant_6_cut_closes_idle_connections_of_that_peer_only(server: Server) -> None:
    server.doorkeeper.trust[OTHER.did] = TrustLevel.OBSERVER
    port = server.wires.resolver.ports[str(onion(2))]

    async def connected(sender: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = call_body()
        fields = signed_fields(sender, B.did, body, server.clock.wall())
        lines = [f"{name}: {value}" for name, value in fields.items()]
        head = "\r\n".join(["POST /rpc/v1 HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines])
        writer.write(head.encode() + b"\r\n\r\n" + body)
        assert b"200" in await reader.readline()
        await reader.readuntil(b'"result":{}}')
        return reader, writer

    removed, other = await connected(A), await connected(OTHER)
    server.endpoint.cut(A.did)
    assert await is_closed(removed[0])
    other[1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"404" in await other[0].readline()
    for _, writer in (removed, other):
        writer.close()
