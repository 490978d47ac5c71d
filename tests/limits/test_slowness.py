"""Peers that take their time: everything they can hold up has a deadline. Short ones here; real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.rpc.connections import BoundedServer
from tests.support.rawhttp import HEAD, Caller, signed
from tests.support.rpcserver import Server, serving, wire
from tests.support.signedcalls import call_body, key

MEMBER = key(1)
BODY = HEAD + b"Content-Length: 60000\r\n\r\n{"


class Slow:
    """A server with short deadlines, its port, and what aiohttp serves it by."""

    def __init__(self, server: Server, bounded: BoundedServer, port: int) -> None:
        self.server = server
        self.bounded = bounded
        self.port = port

    def request(self, size: int = 0) -> bytes:
        """A member's call whose answer has at least this size."""
        body = call_body(params={"echo": "e" * size})
        return signed(MEMBER, self.server.own.did, self.server.clock.wall(), body)


@pytest.fixture
async def slow(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slow]:
    monkeypatch.setattr(limits, "READ_TIMEOUT", 0.2)
    monkeypatch.setattr(limits, "WRITE_TIMEOUT", 0.3)
    async with wire() as wires:
        server = Server(wires)
        bounded = server.endpoint.server()
        async with serving(web.ServerRunner(bounded)) as port:
            yield Slow(server, bounded, port)


async def drip(caller: Caller, piece: bytes) -> None:
    """Send a little now and then until the other side closes."""
    closed = asyncio.create_task(caller.reader.read())
    async with asyncio.timeout(20):
        while not closed.done():
            with contextlib.suppress(OSError):
                caller.writer.write(piece)
            await asyncio.wait({closed}, timeout=0.005)
    caller.close()


@pytest.mark.parametrize("sender", ["stranger", "member"])
async def test_invariant_7_a_body_that_comes_byte_by_byte_is_given_up(slow: Slow, sender: str) -> None:
    """limits.READ_TIMEOUT is for the whole body, not for the pause between two bytes."""
    caller = await Caller.tcp(slow.port)
    if sender == "member":
        assert (await caller.ask(slow.request())).word == "ok"
    caller.writer.write(BODY)
    await drip(caller, b" ")
    assert slow.server.endpoint.statistics["malformed"] == 1


async def test_invariant_7_a_head_that_comes_byte_by_byte_is_given_up_a_members_too(slow: Slow) -> None:
    caller = await Caller.tcp(slow.port)
    assert (await caller.ask(slow.request())).word == "ok"
    caller.writer.write(b"POST /rpc/v1 HTTP/1.1\r\nX: ")
    await drip(caller, b"a")


async def test_invariant_7_chunks_that_come_one_by_one_are_given_up(slow: Slow) -> None:
    caller = await Caller.tcp(slow.port)
    caller.writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    await drip(caller, b"1\r\n \r\n")


async def test_invariant_7_a_member_who_asks_and_asks_and_never_reads_is_cut(slow: Slow) -> None:
    """limits.WRITE_TIMEOUT; until then no more is served than its one connection can hold."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listening.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(listening, ("127.0.0.1", slow.port))
    asked = 0
    with contextlib.suppress(ConnectionError):
        while True:
            await loop.sock_sendall(listening, slow.request(50_000))
            asked += 1
    listening.close()
    assert asked >= 1
    assert slow.server.endpoint.statistics["ok"] < 200
    assert slow.bounded.places.members == 0


async def test_half_a_connection_is_none(slow: Slow) -> None:
    """Who closes its sending side gets the answers that it waits for, and nothing is kept for it."""
    silent, mute = await Caller.tcp(slow.port), await Caller.tcp(slow.port)
    silent.writer.write_eof()
    assert await silent.is_closed()
    mute.writer.write(BODY)
    mute.writer.write_eof()
    assert (await mute.reader.read()).count(b"HTTP/") <= 1
    for caller in (silent, mute):
        caller.close()
    assert slow.bounded.places.members == 0


async def test_invariant_7_a_stranger_is_not_kept_between_requests(slow: Slow) -> None:
    caller = await Caller.tcp(slow.port)
    for _ in range(3):
        assert (
            await caller.ask(signed(key(77), slow.server.own.did, slow.server.clock.wall()))
        ).status == 200
    assert await caller.is_closed()
    caller.close()
