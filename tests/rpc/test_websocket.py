"""Messages from a server that keeps the rules of WebSocket, and from one that does not."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import StreamEnded, WireError
from enigma_fed.rpc.streamend import StreamEnd
from enigma_fed.rpc.websocket import Heard, WebSocket, check_upgrade, upgrade_fields
from enigma_fed.transports.replybounds import bound_replies
from tests.support.fakenetwork import until
from tests.support.rawframes import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Peer,
    close,
    frame,
    playing,
    switching,
)
from tests.support.rpcserver import raw_server

KEY = "AAECAwQFBgcICQoLDA0ODw=="
Play = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def answered(play: Play) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer of a server that plays, on a connection as the agent's are."""
    connector = aiohttp.TCPConnector()
    bound_replies(connector)
    async with raw_server(playing(play)) as port, aiohttp.ClientSession(connector=connector) as session:
        url = f"http://127.0.0.1:{port}/"
        response = await session.get(url, headers=upgrade_fields(KEY), read_until_eof=False)
        try:
            yield response
        finally:
            response.close()


@asynccontextmanager
async def connected(play: Play, *, early: bytes = b"") -> AsyncIterator[WebSocket]:
    """A WebSocket whose server sends 101, `early` in the same segment, and then plays."""

    async def upgrade(peer: Peer) -> None:
        await peer.send(switching(peer.fields["sec-websocket-key"]) + early)
        await play(peer)

    async with answered(upgrade) as response:
        check_upgrade(response, KEY)
        connection = response.connection
        assert connection is not None
        assert connection.protocol is not None
        socket = WebSocket(response, connection.protocol)
        yield socket
        await socket.close(1000)


def sending(*pieces: bytes) -> Play:
    """Send these and wait for the other side's end."""

    async def play(peer: Peer) -> None:
        for piece in pieces:
            await peer.send(piece)
        await peer.reader.read(-1)

    return play


async def test_a_binary_message_comes_whole_in_one_frame_or_in_several() -> None:
    play = sending(frame(BINARY, b"one"), frame(BINARY, b"t", final=False), frame(CONTINUATION, b"wo"))
    async with connected(play) as socket:
        assert await socket.receive() == Heard(b"one")
        assert await socket.receive() == Heard(b"two")


async def test_what_comes_with_the_101_is_not_lost() -> None:
    async with connected(sending(), early=frame(BINARY, b"first")) as socket:
        assert await socket.receive() == Heard(b"first")


async def test_pings_are_answered_and_pongs_show_that_somebody_is_there() -> None:
    answers: list[tuple[int, bytes]] = []

    async def play(peer: Peer) -> None:
        await peer.send(frame(PING, b"there?"))
        answers.append(await peer.read_frame())
        answers.append(await peer.read_frame())
        await peer.send(frame(PONG))
        answers.append(await peer.read_frame())
        await peer.reader.read(-1)

    async with connected(play) as socket:
        assert await socket.receive() == Heard(None)
        await socket.ping()
        assert await socket.receive() == Heard(None)
        await socket.send(b"taken")
        await until(lambda: len(answers) == 3)
    assert answers == [(PONG, b"there?"), (PING, b""), (BINARY, b"taken")]


async def test_closing_says_why() -> None:
    said: list[tuple[int, bytes]] = []

    async def play(peer: Peer) -> None:
        said.append(await peer.read_frame())
        assert await peer.reader.read(1) == b"", "and the connection ends"

    async with connected(play) as socket:
        await socket.close(1008)
        await until(lambda: said)
    assert said == [(8, (1008).to_bytes(2, "big"))]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (close(1000), StreamEnd.TIME_OVER),
        (close(4003), StreamEnd.TOO_SLOW),
        (frame(8), StreamEnd.CLOSED),
        (frame(TEXT, b"hello"), StreamEnd.NOT_BINARY),
        (frame(TEXT, b"\xff\xff"), StreamEnd.NOT_BINARY),
        (close(999), StreamEnd.MALFORMED),
        (frame(3), StreamEnd.MALFORMED),
        (frame(BINARY | 0x40, b"compressed"), StreamEnd.MALFORMED),
        (frame(CONTINUATION, b"of nothing"), StreamEnd.MALFORMED),
        (frame(PING, b"x" * 126), StreamEnd.MALFORMED),
        (b"HTTP/1.1 200 OK\r\n\r\n", StreamEnd.MALFORMED),
    ],
)
async def test_what_ends_it_has_one_word(sent: bytes, reason: StreamEnd) -> None:
    async with connected(sending(sent)) as socket:
        with pytest.raises(StreamEnded) as ended:
            await socket.receive()
    assert ended.value.reason == reason


async def test_a_connection_that_ends_is_broken_for_who_reads_and_for_who_writes() -> None:
    async def gone(peer: Peer) -> None:
        peer.writer.close()

    async with connected(gone) as socket:
        with pytest.raises(StreamEnded) as ended:
            await socket.receive()
        assert ended.value.reason == StreamEnd.BROKEN
        with pytest.raises(StreamEnded):
            await socket.send(b"too late")


async def test_aborting_ends_a_wait_with_the_reason_given() -> None:
    async with connected(sending()) as socket:
        waiting = asyncio.create_task(socket.receive())
        await asyncio.sleep(0)
        socket.abort(StreamEnd.CUT)
        with pytest.raises(StreamEnded) as ended:
            await waiting
    assert ended.value.reason == StreamEnd.CUT


async def test_invariant_7_a_message_has_a_size() -> None:
    """limits.REPLY_BYTES: one more is refused by its head, before any of it is kept."""
    largest = b"x" * limits.REPLY_BYTES
    async with connected(sending(frame(BINARY, largest), frame(BINARY, largest + b"y"))) as socket:
        assert await socket.receive() == Heard(largest)
        with pytest.raises(StreamEnded) as ended:
            await socket.receive()
    assert ended.value.reason == StreamEnd.TOO_LARGE


@pytest.mark.parametrize("says", [limits.REPLY_BYTES + 1, 2**40, 2**63])
async def test_invariant_7_a_size_that_is_only_claimed_takes_no_memory(says: int) -> None:
    async with connected(sending(frame(BINARY, b"", says=says))) as socket:
        with pytest.raises(StreamEnded) as ended:
            await socket.receive()
    assert ended.value.reason == StreamEnd.TOO_LARGE


@pytest.mark.parametrize("piece", [b"", b"x"])
async def test_invariant_7_a_message_that_never_ends_is_cut(piece: bytes) -> None:
    """Frames without an end, or without content: 2 to 3 bytes each, so none of them is too large."""

    async def play(peer: Peer) -> None:
        await peer.send(frame(BINARY, b"begun", final=False))
        while True:
            await peer.send(frame(CONTINUATION, piece, final=False) * 10_000)

    async with connected(play) as socket:
        with pytest.raises(StreamEnded) as ended:
            await socket.receive()
    assert ended.value.reason == StreamEnd.TOO_LARGE


async def test_invariant_7_whoever_does_not_take_messages_is_sent_no_more_of_them() -> None:
    """The server stalls: what waits here is two messages, and what the sockets between us hold."""
    sent = 0

    async def play(peer: Peer) -> None:
        nonlocal sent
        while True:
            await peer.send(frame(BINARY, b"x" * 200_000))
            sent += 1

    tracemalloc.start()
    try:
        async with connected(play) as socket:
            assert await socket.receive() == Heard(b"x" * 200_000)
            before = sent
            for _ in range(50):  # turns of the loop, in which all would come that may come
                await asyncio.sleep(0.001)
            held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 8 * limits.REPLY_BYTES
    assert sent - before < 60, "the rest is in the sockets' buffers"


async def test_invariant_7_who_does_not_read_what_we_send_holds_nobody_up() -> None:
    """No sending waits: one task sends the pings of all streams."""
    over = asyncio.Event()

    async def unread(peer: Peer) -> None:
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await over.wait()

    async def send_on(socket: WebSocket) -> None:
        for _ in range(10_000):
            await socket.send(bytes(8192))

    async with connected(unread) as socket, asyncio.timeout(30):
        with pytest.raises(StreamEnded) as ended:
            await send_on(socket)
        over.set()
    assert ended.value.reason == StreamEnd.NOT_READ


async def test_a_key_that_another_request_had_and_what_nobody_asked_for_are_no_answer() -> None:
    async def answer(head: bytes) -> aiohttp.ClientResponse:
        async def play(peer: Peer) -> None:
            await peer.send(head)
            await peer.reader.read(-1)

        async with answered(play) as response:
            return response

    check_upgrade(await answer(switching(KEY)), KEY)
    for head in (
        switching(KEY[::-1]),
        switching(KEY, Upgrade="h2c"),
        switching(KEY, Connection="keep-alive"),
        switching(KEY, Sec_WebSocket_Accept=""),
        switching(KEY, Sec_WebSocket_Extensions="permessage-deflate"),
        switching(KEY, Sec_WebSocket_Protocol="chat"),
    ):
        with pytest.raises(WireError):
            check_upgrade(await answer(head), KEY)
