"""Bounds on what runs and is open at once, and cutting a peer off (invariants 6 and 7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.rpc.connections import BoundedConnection, BoundedServer
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.transports.tor.proxyline import CircuitTransport
from enigma_fed.wire.records import TrustLevel
from tests.support.rawhttp import Caller, framed
from tests.support.rpcserver import Server, endpoint, serving, wire
from tests.support.signedcalls import FakeDoorkeeper, call_body, key, legacy_fields, onion, signed_fields

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
    async with asyncio.timeout(10):
        try:
            return await reader.read(1) == b""
        except ConnectionError:
            return True


async def connected(
    server: Server, port: int, sender: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which a request of the sender was answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = call_body()
    fields = signed_fields(sender, B.did, body, server.clock.wall())
    lines = [f"{name}: {value}" for name, value in fields.items()]
    head = "\r\n".join(["POST /rpc/v1 HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines])
    writer.write(head.encode() + b"\r\n\r\n" + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in answer
    lengths = [line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    await reader.readexactly(int(lengths[0].partition(b":")[2]))
    return reader, writer


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


async def test_invariant_7_one_request_too_many_at_once_is_429(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUESTS_IN_FLIGHT", 1)
    doorkeeper, made = slow(server)
    async with serving(made.runner()) as port:
        server.wires.resolver.ports[str(onion(2))] = port
        first = asyncio.create_task(server.call())
        await doorkeeper.waits.wait()
        async with asyncio.timeout(20):
            _, second = await server.call()
        assert second.status == 429
        assert b'"busy"' in second.body
        doorkeeper.go.set()
        assert (await first)[1].status == 200


async def test_invariant_7_of_too_many_connections_the_oldest_strangers_ends(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS_INBOUND", 2)
    port = server.wires.resolver.ports[str(onion(2))]
    member = await connected(server, port, A)
    first, second, third = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    assert await is_closed(first[0])
    for _, writer in (second, third, member):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    for reader, writer in (second, third, member):
        assert b"404" in await reader.readline()
        writer.close()
    first[1].close()
    assert server.endpoint.statistics["evicted"] == 1


async def test_invariant_7_one_member_has_few_connections(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS_PER_KEY", 2)
    port = server.wires.resolver.ports[str(onion(2))]
    held = [await connected(server, port, A) for _ in range(3)]
    assert await is_closed(held[0][0])
    for reader, writer in held[1:]:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"404" in await reader.readline()
    for _, writer in held:
        writer.close()


async def test_invariant_7_a_connection_that_sends_no_header_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent, or a byte now and then: neither keeps a connection longer than READ_TIMEOUT."""
    monkeypatch.setattr(limits, "READ_TIMEOUT", 0.05)
    port = server.wires.resolver.ports[str(onion(2))]
    silent, nothing = await asyncio.open_connection("127.0.0.1", port)
    dripping, drops = await asyncio.open_connection("127.0.0.1", port)
    drops.write(b"POST /rpc/v1 HTTP/1.1\r\nX-A: ")
    closed = asyncio.create_task(is_closed(dripping))
    while not closed.done():
        drops.write(b"b")
        await asyncio.wait({closed}, timeout=0.002)
    assert closed.result()
    assert await is_closed(silent)
    nothing.close()
    drops.close()


@pytest.mark.parametrize("sender", [key(9), A])
async def test_invariant_7_only_a_members_connection_is_kept_between_requests(
    server: Server, sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger has READ_TIMEOUT for its next header; a member's header too, once it has begun."""
    port = server.wires.resolver.ports[str(onion(2))]
    over = asyncio.Event()
    check = BoundedConnection._check_deadline

    def noting(connection: BoundedConnection) -> None:
        check(connection)
        over.set()

    monkeypatch.setattr(BoundedConnection, "_check_deadline", noting)
    monkeypatch.setattr(limits, "READ_TIMEOUT", 0.1)
    reader, writer = await connected(server, port, sender)
    if sender is A:
        await over.wait()
        assert not reader.at_eof(), "the deadline of its first header is over"
        writer.write(b"POST /rpc/v1")
    assert await is_closed(reader)
    assert over.is_set()
    writer.close()


async def test_invariant_7_a_stranger_who_does_not_read_the_answers_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer waits until it can be written: nobody else bounds that."""
    monkeypatch.setattr(limits, "READ_TIMEOUT", 0.05)
    bounded = server.endpoint.server()
    monkeypatch.setattr(bounded, "connection_made", lambda connection, transport: connection.pause_writing())
    async with serving(web.ServerRunner(bounded)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /rpc/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: 5\r\n\r\n12345")
        assert b"401" in await reader.readline()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()


async def test_invariant_7_a_member_who_does_not_read_the_answers_is_closed_too(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """limits.WRITE_TIMEOUT: what is left to send is looked at every READ_TIMEOUT, and may not stay."""
    port = server.wires.resolver.ports[str(onion(2))]
    unsent = [0]
    stuck = asyncio.Event()

    class Stuck(CircuitTransport):
        def get_write_buffer_size(self) -> int:
            stuck.set()
            return unsent[0]

    made = BoundedConnection.connection_made
    monkeypatch.setattr(
        BoundedConnection, "connection_made", lambda self, transport: made(self, Stuck(transport, 1))
    )
    monkeypatch.setattr(limits, "READ_TIMEOUT", 0.02)
    monkeypatch.setattr(limits, "WRITE_TIMEOUT", 0.05)
    reader, writer = await connected(server, port, A)
    await stuck.wait()
    assert not reader.at_eof()
    unsent[0] = 1
    assert await is_closed(reader)
    writer.close()


@pytest.mark.parametrize(
    "drip",
    [b"\r\n" * 512, b"X: " + b"a" * 1000 + b"\r\n"],
    ids=["empty lines", "fields"],
)
async def test_invariant_7_a_head_that_does_not_end_is_cut(server: Server, drip: bytes) -> None:
    """limits.HEAD_BYTES, in pieces; also of what the parser drops before a request begins."""
    port = server.wires.resolver.ports[str(onion(2))]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    if drip.startswith(b"X"):
        writer.write(b"GET / HTTP/1.1\r\n")
    for _ in range(limits.HEAD_BYTES // len(drip) - 1):
        writer.write(drip)
    await writer.drain()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not reader.at_eof()
    writer.write(drip * 2)
    assert await is_closed(reader)
    writer.close()


async def test_invariant_7_a_body_whose_chunks_are_mostly_wrapping_is_cut(server: Server) -> None:
    """limits.MESSAGE_BYTES."""
    port = server.wires.resolver.ports[str(onion(2))]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"POST /rpc/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n1;")
    try:
        for _ in range(limits.MESSAGE_BYTES // 1000 + 2000):
            writer.write(b"a" * 1000)
            await writer.drain()
    except ConnectionError:
        pass
    assert await is_closed(reader)
    writer.close()


async def test_invariant_7_what_is_no_http_gets_a_short_answer_and_no_line_in_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    port = server.wires.resolver.ports[str(onion(2))]
    requests = (
        b"x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad\x01: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2 * limits.HEADER_BYTES + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    )
    for request in requests:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = (await reader.read()).decode()
        head, _, body = answer.partition("\r\n\r\n")
        assert head.split()[1] == "400"
        assert body == "bad request\n"
        assert "Server: enigma-fed" in head
        assert "aiohttp" not in answer
        assert "Python" not in answer
        writer.close()
    assert server.endpoint.statistics == {"bad-http": len(requests)}
    assert caplog.records == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (["X: " + "a" * (limits.HEADER_BYTES - 3)], 404),
        (["X: " + "a" * (limits.HEADER_BYTES + 1)], 400),
        ([f"X-{number}: a" for number in range(limits.HEADERS - 1)], 404),
        ([f"X-{number}: a" for number in range(limits.HEADERS)], 400),
    ],
    ids=["line", "line too long", "lines", "too many lines"],
)
async def test_invariant_7_a_head_is_bounded(server: Server, fields: list[str], status: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.wires.resolver.ports[str(onion(2))])
    writer.write("\r\n".join(["GET / HTTP/1.1", "Host: x", *fields, "", ""]).encode())
    assert int((await reader.readline()).split()[1]) == status
    writer.close()


async def test_an_error_of_ours_is_logged_but_not_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    words: list[str] = []

    async def broken(request: Any) -> Any:
        raise RuntimeError("a bug")

    async with serving(web.ServerRunner(BoundedServer(broken, words.append, Traffic(lambda: 0.0)))) as port:
        for _ in range(limits.FAILURES_LOGGED + 3):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = (await reader.read()).decode()
            assert answer.startswith("HTTP/1.1 500 ")
            assert answer.endswith("\r\n\r\nfailed\n")
            writer.close()
    assert words == ["internal"] * (limits.FAILURES_LOGGED + 3)
    assert [record.name for record in caplog.records] == [BoundedServer.__module__] * limits.FAILURES_LOGGED


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

    removed, other = await connected(server, port, A), await connected(server, port, OTHER)
    server.endpoint.cut(A.did)
    assert await is_closed(removed[0])
    other[1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"404" in await other[0].readline()
    for _, writer in (removed, other):
        writer.close()


async def test_invariant_6_cut_closes_connections_used_with_the_old_header_set(
    server: Server,
) -> None:
    """What it was answered, and has not read yet, ends with it; it gets no member's place by it."""
    server.doorkeeper.legacy = {A.did}
    server.clock.advance(limits.CHALLENGE_AFTER_START)
    bounded = server.endpoint.server()
    async with serving(web.ServerRunner(bounded)) as port:
        caller = await Caller.tcp(port)
        at = datetime.fromtimestamp(server.clock.wall(), UTC).isoformat()
        answer = await caller.ask(framed(legacy_fields(A, at), call_body(params={})))
        assert answer.word == "ok"
        assert (bounded.places.strangers, bounded.places.members) == (1, 0)
        server.endpoint.cut(A.did)
        assert await caller.is_closed()
        caller.close()
