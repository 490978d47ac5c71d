"""Streams behind the onion's own listener: circuits are counted, bytes are the peer's, and a removal cuts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.transports.tor.proxyline import OnionListener
from tests.support.rawhttp import proxy_line
from tests.support.signedcalls import key, methods
from tests.support.streamcalls import stream_fields
from tests.support.streams import StreamServer, Subscriber, framed

A, B, STRANGER = key(1), key(2), key(4)


class Onion:
    """A publisher behind an onion's listener, with an account of its peers' bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.server = StreamServer()
        self.traffic = Traffic(self.server.clock.boot)
        self.server.endpoint = RpcEndpoint(
            B,
            methods(),
            self.server.doorkeeper,
            self.server.clock,
            bytes,
            traffic=self.traffic,
            publisher=self.server.publisher,
        )
        self.server.clock.advance(limits.CHALLENGE_AFTER_START)

    async def ask(self, circuit: int, request: bytes) -> Subscriber:
        made = Subscriber(*await asyncio.open_unix_connection(self.path))
        made.send(proxy_line(circuit) + request)
        await made.read_head()
        return made

    async def stream(self) -> Subscriber:
        return await self.ask(1, framed(stream_fields(A, B.did, self.server.clock.wall())))


@asynccontextmanager
async def onion(folder: Path) -> AsyncIterator[Onion]:
    made = Onion(folder / "onion.sock")
    bounded = made.server.endpoint.server()
    runner = web.ServerRunner(bounded)
    await runner.setup()
    listener = OnionListener(bounded, made.path)
    await listener.start()
    yield made
    made.server.publisher.close()
    await listener.close()
    await runner.cleanup()
    await made.server.tasks.close()


async def test_a_stream_behind_the_onion_is_counted_and_cut(tmp_path: Path) -> None:
    async with onion(tmp_path) as made:
        subscriber = await made.stream()
        assert await subscriber.state() == (None, 1)
        before = made.traffic.day(A.did.public_key).sent
        made.server.states.publish(filling=1000)
        assert await subscriber.state() == (1, 2)
        assert made.traffic.day(A.did.public_key).sent >= before + 1000
        made.server.endpoint.cut(A.did)
        assert await subscriber.ending() is None
        subscriber.close()


async def test_invariant_7_a_circuit_that_asks_for_stream_after_stream_is_turned_away(tmp_path: Path) -> None:
    """Its tries are those of calls (limits.FAILED_TRIES_PER_CIRCUIT); another circuit has its own."""
    async with onion(tmp_path) as made:
        for _ in range(limits.FAILED_TRIES_PER_CIRCUIT + 1):
            wall = made.server.clock.wall()
            stranger = await made.ask(7, framed(stream_fields(STRANGER, B.did, wall)))
            assert b'"unknown-peer"' in stranger.body
            stranger.close()
        turned_away = await made.ask(7, framed(stream_fields(A, B.did, made.server.clock.wall())))
        assert (turned_away.status, b'"busy"' in turned_away.body) == (429, True)
        member = await made.stream()
        assert await member.state() == (None, 1)
        for each in (turned_away, member):
            each.close()
