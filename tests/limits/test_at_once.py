"""What the system hands over at once, up to 256 KiB, is bounded like what comes in drops (invariant 7)."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from typing import Any, Final
from unittest.mock import create_autospec

import pytest

from enigma_fed.base import limits
from enigma_fed.rpc.connections import BoundedConnection
from tests.support.rawhttp import HEAD
from tests.support.rpcserver import Server, wire

CHUNKED: Final = (
    b"POST /rpc/v1 HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with wire() as wires:
        yield Server(wires)


def by_hand(server: Server) -> tuple[BoundedConnection, Any]:
    """A connection that gets its bytes from the test, and its transport."""
    transport = create_autospec(asyncio.Transport, instance=True)
    transport.get_extra_info.return_value = None
    transport.get_write_buffer_size.return_value = 0
    transport.is_closing.side_effect = lambda: transport.abort.called
    connection = server.endpoint.server()()
    assert isinstance(connection, BoundedConnection)
    connection.connection_made(transport)
    return connection, transport


@pytest.mark.parametrize("at_once", [True, False])
async def test_invariant_7_a_body_in_thousands_of_chunks_is_cut(server: Server, at_once: bool) -> None:
    """limits.MESSAGE_LINES: each chunk takes the parser as long as a kilobyte of body."""
    most = limits.MESSAGE_LINES // 2
    for chunks, cut in ((most - 1, False), (most + 1000, True)):
        connection, transport = by_hand(server)
        parts = [CHUNKED, b"1\r\n \r\n" * chunks]
        for part in [b"".join(parts)] if at_once else parts:
            connection.data_received(part)
        assert transport.abort.called is cut
        connection.connection_lost(None)


async def test_invariant_7_what_comes_at_once_is_parsed_no_further_than_its_bound(server: Server) -> None:
    """The system hands over 256 KiB at a time; a head in front must not hide what follows."""
    connection, transport = by_hand(server)
    connection.data_received(CHUNKED + b"1;" + b"a" * 2 * limits.MESSAGE_BYTES)
    assert transport.abort.called
    connection.connection_lost(None)


async def test_invariant_7_nothing_is_kept_of_what_was_no_http(server: Server) -> None:
    """Not by an error's traceback either: only the garbage collector ends such a circle, late."""
    data = b"GET / HTTP/1.1\r\nBad\x01: b\r\n\r\n" + b"x" * 2**18
    before = sys.getrefcount(data)
    gc.collect()
    gc.disable()
    try:
        connection, _ = by_hand(server)
        connection.data_received(data)
        connection.connection_lost(None)
        del connection, _
        assert sys.getrefcount(data) == before
    finally:
        gc.enable()


async def test_a_connection_that_ends_before_its_body_is_read_is_no_failure_of_ours(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger must not fill the log, nor use up what it has for real failures."""
    for steps in range(1, 5):
        connection, _ = by_hand(server)
        await asyncio.sleep(0)
        connection.data_received(CHUNKED)
        for _ in range(steps):
            await asyncio.sleep(0)
        connection.connection_lost(None)
        for _ in range(5):
            await asyncio.sleep(0)
    assert caplog.records == []
    assert "internal" not in server.endpoint.statistics


async def test_invariant_7_large_requests_do_not_wait_in_a_row(server: Server) -> None:
    """limits.MESSAGE_BYTES: the library would keep 32 of them, with their bodies, for each connection."""
    body = b" " * (limits.REQUEST_BYTES - 1)
    for ahead, cut in ((2, False), (6, True)):
        connection, transport = by_hand(server)
        await asyncio.sleep(0)
        connection.data_received((HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body) * ahead)
        assert transport.abort.called is cut
        connection.connection_lost(None)
