"""Subscribing to a publisher that keeps the rules, and to those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    PeerUnreachable,
    RefusedByPeer,
    StreamEnded,
    StreamNotOffered,
)
from enigma_fed.rpc.streamend import StreamEnd
from enigma_fed.wire import stream, structured
from enigma_fed.wire.state import Have
from tests.support.fakenetwork import until
from tests.support.publisher import (
    EPOCH,
    error,
    error_body,
    full,
    opening,
    publishing,
    request_of,
    served,
    state,
)
from tests.support.rawframes import BINARY, CLOSE, PING, PONG, Peer, frame
from tests.support.rpcserver import wire
from tests.support.signedcalls import key, onion
from tests.support.subscriber import Subscriber

Answer = Callable[[Peer], bytes]
CHALLENGE = "c" * limits.CHALLENGE_CHARACTERS


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    async with wire() as wires:
        yield Subscriber(wires)


async def test_frames_of_a_signed_stream_come_one_by_one_and_are_acknowledged(subscriber: Subscriber) -> None:
    acks: list[tuple[int, bytes]] = []

    async def play(peer: Peer) -> None:
        await peer.send(opening(peer) + full(state(1)))
        acks.append(await peer.read_frame())
        await peer.send(full(state(2)))
        acks.append(await peer.read_frame())
        acks.append(await peer.read_frame())

    async with served(subscriber.wires, play):
        async with subscriber.open() as stands:
            assert stands.epoch == EPOCH
            assert await stands.frame() == state(1)
            await stands.acknowledge(1)
            assert await stands.frame() == state(2)
            await stands.acknowledge(2)
        await until(lambda: len(acks) == 3)
    assert acks == [
        (BINARY, stream.encode_ack(1)),
        (BINARY, stream.encode_ack(2)),
        (CLOSE, (1000).to_bytes(2, "big")),
    ]
    assert subscriber.heard == 2
    assert subscriber.unanswered == []


async def test_the_request_says_what_is_held_and_nothing_about_this_program(subscriber: Subscriber) -> None:
    asked: list[dict[str, str]] = []

    async def play(peer: Peer) -> None:
        asked.append(peer.fields)
        assert request_of(peer).have == Have(EPOCH, 41)
        await peer.send(opening(peer))
        await peer.reader.read(-1)

    async with served(subscriber.wires, play), subscriber.open(Have(EPOCH, 41)):
        pass
    assert set(asked[0]) == {
        "host",
        "upgrade",
        "connection",
        "sec-websocket-version",
        "sec-websocket-key",
        "federation-audience",
        "federation-have",
        "signature-input",
        "signature",
    }


async def test_a_challenge_is_answered_once_with_the_same_nonce_and_the_skew_is_told(
    subscriber: Subscriber,
) -> None:
    asked: list[dict[str, str]] = []
    subscriber.clock.step_wall(3600)

    async def play(peer: Peer) -> None:
        asked.append(peer.fields)
        if len(asked) == 1:
            await peer.send(error(peer, error_body("stale", CHALLENGE), 401, key(2)))
            return
        assert request_of(peer).signed.challenge == CHALLENGE
        await peer.send(opening(peer))
        await peer.reader.read(-1)

    async with served(subscriber.wires, play), subscriber.open():
        pass
    inputs = [structured.parse_inner_list(fields["signature-input"], "fed") for fields in asked]
    assert inputs[0].parameters["nonce"] == inputs[1].parameters["nonce"]
    assert asked[0]["sec-websocket-key"] == asked[1]["sec-websocket-key"]
    assert subscriber.skews[0] == (key(2).did, -3600)


async def test_a_second_challenge_is_a_refusal(subscriber: Subscriber) -> None:
    times = 0

    async def play(peer: Peer) -> None:
        nonlocal times
        times += 1
        await peer.send(error(peer, error_body("stale", CHALLENGE), 401, key(2)))

    refused = await subscriber.refused(play)
    assert isinstance(refused, RefusedByPeer)
    assert (refused.code, times) == ("stale", 2)


async def test_a_signed_error_is_a_refusal(subscriber: Subscriber) -> None:
    async def play(peer: Peer) -> None:
        await peer.send(error(peer, error_body("not-allowed"), 200, key(2)))

    refused = await subscriber.refused(play)
    assert isinstance(refused, RefusedByPeer)
    assert refused.code == "not-allowed"


@pytest.mark.parametrize("status", [400, 404, 405])
async def test_a_peer_that_knows_no_streams_is_told_apart(subscriber: Subscriber, status: int) -> None:
    async def play(peer: Peer) -> None:
        await peer.send(error(peer, b"not here", status))

    assert isinstance(await subscriber.refused(play), StreamNotOffered)


async def test_so_is_one_that_says_so_by_its_signature(subscriber: Subscriber) -> None:
    async def play(peer: Peer) -> None:
        await peer.send(error(peer, error_body("method-not-found"), 200, key(2)))

    assert isinstance(await subscriber.refused(play), StreamNotOffered)
    assert subscriber.unanswered == []


async def test_a_signed_refusal_that_cannot_be_read_is_none(subscriber: Subscriber) -> None:
    async def play(peer: Peer) -> None:
        await peer.send(error(peer, b"[]", 200, key(2)))

    refused = await subscriber.refused(play)
    assert type(refused) is PeerUnreachable
    assert "breaks the format" in refused.detail


async def test_a_signed_101_that_is_no_websockets_is_no_stream(subscriber: Subscriber) -> None:
    async def play(peer: Peer) -> None:
        await peer.send(opening(peer, Sec_WebSocket_Accept="AAAA"))
        await peer.reader.read(-1)

    assert "breaks the format" in (await subscriber.refused(play)).detail


async def test_a_kept_connection_that_is_closed_is_no_failure(subscriber: Subscriber) -> None:
    """The first answer keeps the connection, which is closed when the next request comes."""
    times = 0

    async def play(peer: Peer) -> None:
        nonlocal times
        times += 1
        if times == 1:
            await peer.send(error(peer, error_body("busy"), 200, key(2)))
            await peer.reader.readuntil(b"\r\n\r\n")
            return
        await peer.send(opening(peer))
        await peer.reader.read(-1)

    async with served(subscriber.wires, play):
        with pytest.raises(RefusedByPeer):
            async with subscriber.open():
                pass
        async with subscriber.open():
            pass
    assert times == 2


async def test_nobody_there_is_unreachable_and_another_circuit_is_taken(subscriber: Subscriber) -> None:
    with pytest.raises(PeerUnreachable, match="no connection could be made") as failed:
        async with subscriber.open():
            pass
    assert "tried again by itself" in failed.value.hint
    assert subscriber.unanswered == [onion(2)]


async def test_an_answer_that_never_comes_is_given_up(
    subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CALL_TIMEOUT", 0.05)

    async def play(peer: Peer) -> None:
        await peer.reader.read(-1)

    assert "no answer within" in (await subscriber.refused(play)).detail
    assert subscriber.unanswered == [onion(2)]


async def test_invariant_6_a_cut_ends_a_stream_and_one_that_is_being_opened(subscriber: Subscriber) -> None:
    there = asyncio.Event()

    async def asked(peer: Peer) -> None:
        there.set()
        await peer.reader.read(-1)

    async def opened(peer: Peer) -> None:
        await peer.send(opening(peer) + full(state(1)))
        await until(lambda: subscriber.heard)
        await asked(peer)

    for play in (asked, opened):
        async with served(subscriber.wires, play):
            following = asyncio.create_task(subscriber.follow())
            await there.wait()
            there.clear()
            subscriber.client.cut(key(3).did)
            assert not following.done()
            subscriber.client.cut(key(2).did)
            await asyncio.sleep(0)
            subscriber.client.cut(key(2).did)  # trust changed, and then removed: the first is still at it
            with pytest.raises(StreamEnded) as ended:
                await following
            assert ended.value.reason == StreamEnd.CUT


async def test_a_sign_of_life_is_asked_for_and_silence_ends_it(subscriber: Subscriber) -> None:
    """limits.STREAM_SILENCE."""
    pings: list[int] = []

    async def play(peer: Peer) -> None:
        await peer.send(opening(peer))
        for answered in (True, True, False, False, False):
            kind, _ = await peer.read_frame()
            pings.append(kind)
            if answered:
                await peer.send(frame(PONG))
        await peer.reader.read(-1)

    async with served(subscriber.wires, play):
        reading = asyncio.create_task(subscriber.follow())
        for number in range(1, 5):
            await until(lambda: subscriber.clock.sleepers)
            subscriber.clock.advance(limits.STREAM_PING)
            await until(lambda number=number: len(pings) == number)  # type: ignore[misc]
            await until(lambda number=number: subscriber.heard == min(number, 2))  # type: ignore[misc]
        await until(lambda: subscriber.clock.sleepers)
        subscriber.clock.advance(limits.STREAM_PING - 1)
        await asyncio.sleep(0.01)
        assert not reading.done(), "not before its time"
        subscriber.clock.advance(1)
        with pytest.raises(StreamEnded) as ended:
            await reading
    assert ended.value.reason == StreamEnd.SILENT
    assert set(pings) == {PING}


async def test_a_stream_that_its_publisher_does_not_end_is_ended(subscriber: Subscriber) -> None:
    """limits.STREAM_LIFE, and some time for the publisher to do it itself; limits.STREAM_PING."""

    async def play(peer: Peer) -> None:
        await peer.send(opening(peer))
        while True:
            await peer.read_frame()
            await peer.send(frame(PONG))

    async with served(subscriber.wires, play):
        reading = asyncio.create_task(subscriber.follow())
        began, pinged = subscriber.clock.boot(), 0
        while not reading.done():
            await until(lambda: reading.done() or subscriber.clock.sleepers)
            subscriber.clock.advance(limits.STREAM_PING)
            pinged += 1
            await until(lambda pinged=pinged: reading.done() or subscriber.heard == pinged)  # type: ignore[misc]
        with pytest.raises(StreamEnded) as ended:
            await reading
    assert ended.value.reason == StreamEnd.TIME_OVER
    assert (
        limits.STREAM_LIFE < subscriber.clock.boot() - began <= limits.STREAM_LIFE + 2 * limits.STREAM_SILENCE
    )


async def test_messages_at_the_pace_of_states_do_not(subscriber: Subscriber) -> None:
    number = limits.STREAM_MESSAGES_BURST + 20
    async with served(subscriber.wires, publishing(full(state(1)) * number)), subscriber.open() as stands:
        for _ in range(number):
            await stands.frame()
            subscriber.clock.advance(1 / limits.STREAM_MESSAGES)


async def test_a_publisher_that_breaks_the_rules_is_told_so(subscriber: Subscriber) -> None:
    said: list[tuple[int, bytes]] = []

    async def play(peer: Peer) -> None:
        await peer.send(opening(peer) + frame(BINARY, b"\xff"))
        said.append(await peer.read_frame())

    async with served(subscriber.wires, play):
        with pytest.raises(StreamEnded):
            async with subscriber.open() as stands:
                await stands.frame()
        await until(lambda: said)
    assert said == [(CLOSE, (1008).to_bytes(2, "big"))]
