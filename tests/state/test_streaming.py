"""Streams over real sockets: what subscribers get, when it ends, and what hostile ones can do."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable

import pytest

from enigma_fed.base import limits
from enigma_fed.wire.state import Have
from enigma_fed.wire.stream import CloseCode, encode_ack
from enigma_fed.wire.websocket import Opcode
from tests.support.signedcalls import key
from tests.support.streams import EPOCH, StreamServer, Subscriber, framed, masked, publishing

A, B, C = key(1), key(2), key(3)


@pytest.fixture
async def server() -> AsyncIterator[StreamServer]:
    async with publishing(StreamServer()) as made:
        yield made


async def settle() -> None:
    """Let everything that is ready happen."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_each_new_state_is_pushed_as_a_step_from_the_last(server: StreamServer) -> None:
    subscribers = [await Subscriber.to(server, sender) for sender in (A, C)]
    for each in subscribers:
        assert await each.state() == (None, 1)
    for seq in (2, 3):
        server.states.publish()
        for each in subscribers:
            assert await each.state() == (seq - 1, seq)
            each.ack(seq)
    assert server.publisher.statistics["opened"] == 2
    assert server.publisher.statistics["frames"] == 6
    assert server.publisher.statistics["bytes"] > 6
    for each in subscribers:
        each.close()


async def test_states_wait_while_the_window_is_full_and_then_come_as_one(server: StreamServer) -> None:
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    for seq in range(2, limits.STREAM_WINDOW + 1):
        server.states.publish()
        assert await subscriber.state() == (seq - 1, seq)
    last = limits.STREAM_WINDOW
    for _ in range(5):
        server.states.publish()
        await subscriber.ping()
    subscriber.ack(1)
    assert await subscriber.state() == (last, last + 5), "five states in one step"
    assert server.publisher.statistics["conflated"] == 4
    server.states.publish()
    await subscriber.ping()
    subscriber.ack(last + 5)
    assert await subscriber.state() == (last + 5, last + 6)
    subscriber.close()


@pytest.mark.parametrize("when", ["a state comes", "time passes"])
async def test_an_error_of_this_program_ends_the_streams_and_the_next_one_is_served(
    server: StreamServer, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Streams that stand and bring nothing would keep the peers from polling for an hour."""
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)

    def broken(have: Have | None) -> None:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patched:
        patched.setattr(server.states, "newest_for", broken)
        if when == "a state comes":
            server.states.publish()
        else:
            await server.look(5)
        await server.until_ended(going_away=1)
    subscriber.close()
    again = await Subscriber.to(server)
    first = (await again.state())[1]
    server.states.publish()
    assert await again.state() == (first, first + 1)
    again.close()


async def test_nobody_waits_for_states_when_nobody_subscribes(server: StreamServer) -> None:
    assert server.states.wanted == 0
    for _ in range(2):
        subscriber = await Subscriber.to(server)
        assert await subscriber.state() == (None, 1)
        assert server.states.wanted == 1
        ended = sum(server.ended.values())
        subscriber.close()
        await server.until_ended(lost=ended + 1)
        await settle()
        assert server.states.wanted == 0
        assert server.clock.sleepers <= 1


async def test_pings_are_answered_and_count_as_heard(server: StreamServer) -> None:
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    await subscriber.ping(b"x" * limits.STREAM_MESSAGE_BYTES)
    assert server.pinged == [A.did]
    subscriber.close()


async def test_a_subscriber_that_says_goodbye_gets_it_back(server: StreamServer) -> None:
    subscriber = await Subscriber.to(server)
    subscriber.send(masked(Opcode.CLOSE, b"\x03\xe8"))
    assert await subscriber.ending() == 1000
    assert await subscriber.reader.read() == b""
    assert server.ended == {"done": 1}
    subscriber.close()


async def test_a_frame_that_is_not_acknowledged_in_time_ends_it(server: StreamServer) -> None:
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    await server.look(limits.STREAM_SLOW - 5)
    await subscriber.ping()
    assert server.ended == {}
    await server.look(5)
    assert await subscriber.ending() == 4003
    assert server.ended == {"slow": 1}
    subscriber.close()


async def test_silence_ends_it(server: StreamServer) -> None:
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    subscriber.ack(1)
    await subscriber.ping()
    await server.look(limits.STREAM_SILENCE - 5)
    assert server.ended == {}
    await server.look(5)
    assert await subscriber.ending() == 4004
    subscriber.close()


async def test_it_ends_after_an_hour(server: StreamServer) -> None:
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    subscriber.ack(1)
    for _ in range(limits.STREAM_LIFE // 60 - 1):
        await subscriber.ping()
        await server.look(60)
    await subscriber.ping()
    assert server.ended == {}
    await server.look(60)
    assert await subscriber.ending() == 1000
    assert server.ended == {"done": 1}
    subscriber.close()


async def test_a_newer_stream_takes_the_place_of_the_older(server: StreamServer) -> None:
    older = await Subscriber.to(server)
    newer = await Subscriber.to(server, have=Have(EPOCH, 1))
    assert await older.ending() == 4001
    server.states.publish()
    assert await newer.state() == (1, 2)
    assert len(server.publisher) == 1
    for each in (older, newer):
        each.close()


@pytest.mark.parametrize("how", ["by the next state", "by a look"])
async def test_invariant_6_no_frame_goes_to_who_may_no_longer_read(server: StreamServer, how: str) -> None:
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    server.allowed.discard(A.did)
    if how == "by the next state":
        server.states.publish()
    else:
        await subscriber.ping()
        await server.look(5)
    assert await subscriber.frame() == (Opcode.CLOSE, (4002).to_bytes(2, "big"))
    subscriber.close()


async def test_all_end_when_what_is_told_beside_the_state_changes(server: StreamServer) -> None:
    subscribers = [await Subscriber.to(server, sender) for sender in (A, C)]
    server.publisher.end_all(CloseCode.TRUST_CHANGED)
    for each in subscribers:
        assert await each.ending() == 4002
        each.close()
    assert server.ended == {"trust-changed": 2}


async def test_the_end_of_the_node_is_told_and_nothing_begins_after_it(server: StreamServer) -> None:
    subscriber = await Subscriber.to(server)
    server.publisher.close()
    assert await subscriber.ending() == 1001
    late = await Subscriber.asking(server.port, framed(server.fields(C)))
    assert b'"busy"' in late.body
    for each in (subscriber, late):
        each.close()


async def test_who_does_not_answer_a_goodbye_is_dropped(
    server: StreamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DRAIN_TIMEOUT", 0.05)
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    server.publisher.end_all(CloseCode.GOING_AWAY)
    assert await subscriber.ending() == 1001
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.IncompleteReadError):
            await subscriber.reader.readexactly(1)
    subscriber.close()


HOSTILE: dict[str, Callable[[], bytes]] = {
    "text": lambda: masked(0x1, b"hello"),
    "an acknowledgement of what was not sent": lambda: masked(Opcode.BINARY, encode_ack(7)),
    "an acknowledgement twice": lambda: masked(Opcode.BINARY, encode_ack(1)) * 2,
    "what is no acknowledgement": lambda: masked(Opcode.BINARY, b"\xa0"),
    "a call": lambda: masked(Opcode.BINARY, b'{"jsonrpc":"2.0","method":"package.install"}'),
    "a pong": lambda: masked(Opcode.PONG, b""),
    "not masked": lambda: b"\x82\x03" + encode_ack(1),
    "65 bytes": lambda: masked(Opcode.PING, bytes(limits.STREAM_MESSAGE_BYTES + 1)),
    "a frame of an exbibyte": lambda: b"\x82\xff" + (2**60).to_bytes(8, "big") + bytes(100_000),
    "a message in pieces": lambda: masked(Opcode.BINARY, b"\xa1", first=0),
    "pieces without end": lambda: masked(Opcode.BINARY, b"", first=0) + masked(0, b"", first=0) * 10_000,
    "a compressed frame": lambda: masked(Opcode.BINARY, encode_ack(1), first=0xC0),
    "HTTP": lambda: b"GET /rpc/v1/stream HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_invariant_7_what_a_subscriber_may_not_send_ends_its_stream_and_no_other(
    server: StreamServer, case: str
) -> None:
    subscriber, other = await Subscriber.to(server), await Subscriber.to(server, C)
    assert await subscriber.state() == (None, 1)
    subscriber.send(HOSTILE[case]())
    assert await subscriber.ending() in {1008, None}
    assert server.ended == {"policy": 1}
    server.states.publish()
    assert [await other.state() for _ in range(2)] == [(None, 1), (1, 2)]
    for each in (subscriber, other):
        each.close()


async def test_invariant_7_a_flood_of_pings_ends_it_at_the_first_too_many(server: StreamServer) -> None:
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    subscriber.send(masked(Opcode.PING, b"") * 50_000)
    pongs = 0
    while (frame := await subscriber.frame())[0] == Opcode.PONG:
        pongs += 1
    assert frame == (Opcode.CLOSE, (1008).to_bytes(2, "big"))
    assert pongs == limits.STREAM_MESSAGES_BURST
    assert len(server.pinged) == pongs
    subscriber.close()


async def test_a_frame_may_come_byte_by_byte(server: StreamServer) -> None:
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    for byte in masked(Opcode.BINARY, encode_ack(1)) + masked(Opcode.PING, b"x"):
        subscriber.send(bytes((byte,)))
        await subscriber.writer.drain()
        await asyncio.sleep(0)
    assert await subscriber.frame() == (Opcode.PONG, b"x")
    assert server.ended == {}
    subscriber.close()


async def test_invariant_7_a_healthy_stream_outlives_what_a_request_may_bring(server: StreamServer) -> None:
    """More bytes and line ends than one body may have, in frames that are each in order."""
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    subscriber.ack(1)
    ping = masked(Opcode.PING, b"\n" * limits.STREAM_MESSAGE_BYTES, mask=bytes(4))
    sent = lines = 0
    while sent <= limits.MESSAGE_BYTES or lines <= limits.MESSAGE_LINES:
        server.clock.advance(1)
        subscriber.send(ping * 2)
        for _ in range(2):
            assert (await subscriber.frame())[0] == Opcode.PONG
        sent, lines = sent + 2 * len(ping), lines + 2 * limits.STREAM_MESSAGE_BYTES
        if not lines % 1000:
            await settle()
    assert server.ended == {}
    subscriber.close()


async def slow_reader(server: StreamServer) -> Subscriber:
    """A subscriber whose connection takes little, and which reads nothing after the `101`."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listening.setblocking(False)
    await asyncio.get_running_loop().sock_connect(listening, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(sock=listening, limit=2048)
    subscriber = Subscriber(reader, writer)
    subscriber.send(framed(server.fields()))
    await subscriber.read_head()
    assert subscriber.status == 101
    return subscriber


async def test_invariant_7_who_does_not_read_has_one_frame_waiting_and_is_cut(server: StreamServer) -> None:
    subscriber = await slow_reader(server)
    (stream,) = server.publisher._streams.values()
    waiting = stream.link._transport.get_write_buffer_size
    taking = stream.link._transport.get_extra_info("socket")
    taking.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    largest = 200_000
    for _ in range(200):
        server.states.publish(filling=largest)
        await settle()
        if not stream.link.ready:
            break
    frames = server.publisher.statistics["frames"]
    tracemalloc.start()
    try:
        for _ in range(50):
            server.states.publish(filling=largest)
            await settle()
        assert 4096 < waiting() <= 4096 + largest + 100
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert server.publisher.statistics["frames"] == frames, "nothing more is sent"
    assert grown < 2_000_000
    await server.look(limits.STREAM_SLOW)
    assert server.ended == {"slow": 1}
    assert waiting() == 0, "dropped with all that was not sent"
    subscriber.close()


async def test_invariant_7_a_thousand_handshakes_leave_one_stream(server: StreamServer) -> None:
    """Each takes the place of the one before; the nonces of the member bound them before that."""
    subscribers, busy = [], 0
    for _ in range(1000):
        subscriber = await Subscriber.asking(server.port, framed(server.fields()))
        busy += b'"busy"' in subscriber.body
        subscriber.close()
        subscribers.append(subscriber)
    assert busy == 1000 - limits.NONCES_PER_KEY
    assert server.publisher.statistics["opened"] == limits.NONCES_PER_KEY
    assert len(server.publisher) <= 1
    for each in subscribers:
        await each.writer.wait_closed()


def test_it_is_the_same_on_the_loop_that_the_agent_runs_on() -> None:
    """uvloop writes a turn later, so what was just written counts as waiting."""
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        async with publishing(StreamServer()) as server:
            subscriber = await Subscriber.to(server)
            assert await subscriber.state() == (None, 1)
            for seq in range(2, 20):
                subscriber.ack(seq - 1)
                await subscriber.ping()
                server.clock.advance(1)
                server.states.publish()
                assert await subscriber.state() == (seq - 1, seq)
            server.publisher.end_all(CloseCode.TRUST_CHANGED)
            assert await subscriber.ending() == 4002
            subscriber.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
