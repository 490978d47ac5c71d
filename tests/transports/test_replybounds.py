"""Replies that never begin, never end, or drip between the lines: cut at a size."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from enigma_fed.base import limits
from enigma_fed.transports.replybounds import BoundedReplies, bound_replies
from enigma_fed.transports.tor.session import OnionConnector
from tests.support.rpcserver import raw_server

ANNOUNCEMENT = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Flood:
    """A server that sends `head` once, then `drip` as often as it is allowed to, then `end`."""

    def __init__(self, head: bytes, drip: bytes, times: int, end: bytes = b"") -> None:
        self.head = head
        self.drip = drip
        self.times = times
        self.end = end

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            writer.write(self.head)
            for _ in range(self.times):
                writer.write(self.drip)
                await writer.drain()
            writer.write(self.end)
            await writer.drain()
        writer.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector()
    bound_replies(connector)
    async with aiohttp.ClientSession(connector=connector) as made:
        yield made


async def fetch(session: aiohttp.ClientSession, flood: Flood) -> bytes:
    async with raw_server(flood.serve) as port, session.get(f"http://127.0.0.1:{port}/") as response:
        return await response.read()


async def test_some_announcements_are_fine(session: aiohttp.ClientSession) -> None:
    end = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    assert await fetch(session, Flood(b"", ANNOUNCEMENT, 20, end)) == b"hi"


async def test_invariant_7_endless_announcements_are_cut_after_few(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """limits.HEAD_BYTES, on the calling side: of 10 MB that come at once, no more is parsed."""
    parsed = [0]
    feed = BoundedReplies.feed_data

    def noting(self: BoundedReplies, data: object, size: int = 0) -> None:
        parsed[0] += 1
        feed(self, data, size)

    monkeypatch.setattr(BoundedReplies, "feed_data", noting)
    with pytest.raises(aiohttp.ClientError):
        await fetch(session, Flood(b"", ANNOUNCEMENT * 10_000, 40))
    assert parsed[0] <= limits.HEAD_BYTES // len(ANNOUNCEMENT) + 4096


async def test_invariant_7_a_head_of_a_reply_that_does_not_end_is_cut(session: aiohttp.ClientSession) -> None:
    line = b"X: " + b"a" * 1000 + b"\r\n"
    fits = Flood(b"HTTP/1.1 200 OK\r\n", line, 15, b"Content-Length: 2\r\n\r\nhi")
    assert await fetch(session, fits) == b"hi"
    with pytest.raises(aiohttp.ClientError):
        await fetch(session, Flood(b"HTTP/1.1 200 OK\r\n", line, 10**5))


@pytest.mark.parametrize(
    "drip", [b"1\r\na\r\n", b"1;" + b"e" * 4000 + b"\r\na\r\n"], ids=["chunks", "extensions"]
)
async def test_invariant_7_a_body_of_a_reply_that_does_not_end_is_cut(
    session: aiohttp.ClientSession, drip: bytes
) -> None:
    """limits.REPLY_BYTES, twice: what wraps the chunks counts, too."""
    few = Flood(CHUNKED, drip, 50, b"0\r\n\r\n")
    assert await fetch(session, few) == b"a" * 50
    with pytest.raises(aiohttp.ClientError):
        await fetch(session, Flood(CHUNKED, drip * 100, 10**5))


async def test_the_next_reply_on_the_same_connection_is_counted_anew(session: aiohttp.ClientSession) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"a" * 100_000
    connections = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections[0] += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(reply)
        writer.close()

    async with raw_server(serve) as port:
        for _ in range(10):
            async with session.get(f"http://127.0.0.1:{port}/") as response:
                assert len(await response.read()) == 100_000
        await session.close()
    assert connections[0] == 1


async def test_every_connection_to_a_peer_is_bounded() -> None:
    connector = OnionConnector(lambda: None, b"k" * 16, lambda onion: None, lambda: True)
    assert isinstance(connector._factory(), BoundedReplies)
    await connector.close()


async def test_invariant_7_of_many_replies_to_one_request_few_are_parsed(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """256 KiB of them come at once and would keep the loop busy for as long as a call may block it."""
    parsed = [0]
    feed = BoundedReplies.feed_data

    def noting(self: BoundedReplies, data: object, size: int = 0) -> None:
        parsed[0] += 1
        feed(self, data, size)

    monkeypatch.setattr(BoundedReplies, "feed_data", noting)
    again = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    assert await fetch(session, Flood(first, again * 10_000, 1)) == b"hi"
    await asyncio.sleep(0)
    assert parsed[0] <= 4096 // len(again) + 2
