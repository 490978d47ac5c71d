"""A federation with the real stream client, and publishers over loopback that break every rule there is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable
from enigma_fed.daemon.status import clock_differences
from enigma_fed.federation.client import RpcStreamCaller
from enigma_fed.rpc.peerclocks import PeerClocks
from enigma_fed.rpc.streamclient import StreamClient
from enigma_fed.wire import cbor
from enigma_fed.wire.records import Via
from enigma_fed.wire.state import DeltaAnswer, FullState
from tests.support.identities import key, onion
from tests.support.publisher import full, opening
from tests.support.rawframes import BINARY, CONTINUATION, PING, TEXT, Peer, close, frame, playing, switching
from tests.support.rpcserver import raw_server, wire
from tests.support.streamworld import Publisher, World

Play = Callable[[Publisher, Peer], Awaitable[None]]


class HttpWorld(World):
    """The polls are function calls; the streams of peer 1 come over a socket from `play`."""

    def __init__(self, folder: Path, client: StreamClient) -> None:
        super().__init__(folder)
        self.client = client
        self.play: Play = silent
        self.opened = 0

    async def serve(self, peer: Peer) -> None:
        self.opened += 1
        await self.play(self.publisher(), peer)


async def silent(publisher: Publisher, peer: Peer) -> None:
    """Open properly and say nothing."""
    await peer.send(sent_opening(publisher, peer))
    await peer.reader.read(-1)


def sent_opening(publisher: Publisher, peer: Peer) -> bytes:
    return opening(peer, key(publisher.number), epoch=publisher.epoch)


def bringing(*frames: Callable[[Publisher], bytes]) -> Play:
    """Open properly, bring these, and wait for the other side's end."""

    async def play(publisher: Publisher, peer: Peer) -> None:
        await peer.send(sent_opening(publisher, peer))
        for each in frames:
            await peer.send(each(publisher))
        await peer.reader.read(-1)

    return play


def answering(answer: Callable[[Publisher, Peer], bytes]) -> Play:
    """Answer like this, followed by a good frame."""

    async def play(publisher: Publisher, peer: Peer) -> None:
        await peer.send(answer(publisher, peer) + full(publisher.state(9)))
        await peer.reader.read(-1)

    return play


def step(answer: DeltaAnswer) -> bytes:
    """The frame of a delta."""
    return frame(BINARY, cbor.encode(answer.to_object(binary=True)))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[HttpWorld]:
    async with wire() as wires:
        clocks = PeerClocks()
        made = HttpWorld(tmp_path, None)  # type: ignore[arg-type]
        made.client = StreamClient(
            key(9),
            wires.session,
            made.clock,
            os.urandom,
            clocks,
            skewed=lambda *said: made.federation.note_skew(*said),  # noqa: PLW0108 - it is made later
        )
        async with raw_server(playing(made.serve)) as port:
            wires.resolver.ports[str(onion(1))] = port
            await made.start(caller=RpcStreamCaller(made.client))
            yield made
            await made.stop()


async def polled_once(world: HttpWorld) -> FullState:
    """Let the first poll come, and then no other; the state that it brought."""
    await world.passing(lambda: world.publisher().did in world.store.observations, 60)
    state = world.seen().state
    assert state is not None
    return state


async def reached(world: HttpWorld, condition: Callable[[], object]) -> None:
    """Let time pass, and the sockets have their turns, until the condition holds."""
    async with asyncio.timeout(60):
        while not condition():
            world.clock.advance(0.25)
            await asyncio.sleep(0.002)


async def over(world: HttpWorld) -> str:
    """Let time pass until the stream ended or failed; the word for it."""
    streams = world.streams

    def counted() -> int:
        return sum(streams.ends.values()) + sum(streams.not_opened.values())

    await reached(world, counted)
    (word,) = [*streams.ends, *streams.not_opened]
    return word


async def test_frames_are_stored_and_acknowledged(world: HttpWorld) -> None:
    acks: list[tuple[int, bytes]] = []

    async def play(publisher: Publisher, peer: Peer) -> None:
        await peer.send(sent_opening(publisher, peer))
        await peer.send(step(publisher.delta(1, 2)) + step(publisher.delta(2, 5)))
        acks.extend([await peer.read_frame(), await peer.read_frame()])
        await peer.reader.read(-1)

    world.play = play
    await reached(world, lambda: len(acks) == 2)
    assert acks == [(BINARY, cbor.encode({0: 2})), (BINARY, cbor.encode({0: 5}))]
    assert world.held() == 5


@pytest.mark.parametrize(("off", "side"), [(95, "ahead of"), (-95, "behind")])
async def test_a_peer_whose_stream_shows_a_wrong_clock_is_named(
    world: HttpWorld, off: int, side: str
) -> None:
    """The polls showed none; only the beginning of the stream tells the time, the frames do not."""

    async def play(publisher: Publisher, peer: Peer) -> None:
        created = int(world.clock.wall()) + off
        await peer.send(opening(peer, key(1), epoch=publisher.epoch, created=created))
        await peer.send(step(publisher.delta(1, 2)))
        await peer.reader.read(-1)

    await polled_once(world)
    assert (world.seen().skew_s, list(clock_differences(world.federation.peers()))) == (0, [])
    world.play = play
    await reached(world, lambda: world.held() == 2)
    assert world.seen().via is Via.STREAM
    (warning,) = clock_differences(world.federation.peers())
    skew = world.seen().skew_s
    assert skew is not None
    assert abs(skew - off) <= 30, "by as much as the clock was turned on meanwhile"
    assert warning.startswith("The clock of ")
    assert f"is {abs(skew)} s {side} this machine's" in warning


@pytest.mark.parametrize(
    ("play", "word"),
    [
        pytest.param(
            answering(lambda p, peer: switching(peer.fields["sec-websocket-key"])),
            "unsigned",
            id="unsigned 101",
        ),
        pytest.param(
            answering(lambda p, peer: opening(peer, key(1), epoch=p.epoch, of=f"fed=:{'A' * 86}==:")),
            "unsigned",
            id="101 of another request",
        ),
        pytest.param(
            answering(lambda p, peer: opening(peer, key(2), epoch=p.epoch)),
            "unsigned",
            id="101 of another key",
        ),
        pytest.param(answering(lambda p, peer: b"garbage\r\n\r\n"), "unreachable", id="no HTTP"),
        pytest.param(bringing(lambda p: full(Publisher(2).state(9))), "mismatch", id="another epoch"),
        pytest.param(bringing(lambda p: full(p.state(0))), "mismatch", id="lower seq"),
        pytest.param(bringing(lambda p: full(p.state(1, tor_active=True))), "mismatch", id="two states"),
        pytest.param(bringing(lambda p: full(p.state(2, signer=2))), "mismatch", id="signature of another"),
        pytest.param(bringing(lambda p: step(p.delta(7, 9))), "mismatch", id="delta of another base"),
        pytest.param(bringing(lambda p: step(p.delta(1, 9, signer=2))), "mismatch", id="delta that lies"),
        pytest.param(
            bringing(lambda p: frame(BINARY, b"x" * (limits.REPLY_BYTES + 1))), "too-large", id="huge frame"
        ),
        pytest.param(
            bringing(lambda p: frame(BINARY, b"", says=2**62)), "too-large", id="frame that claims to be huge"
        ),
        pytest.param(
            bringing(
                lambda p: frame(BINARY, b"x", final=False) + frame(CONTINUATION, b"", final=False) * 2**20
            ),
            "too-large",
            id="frame without end",
        ),
        pytest.param(bringing(lambda p: full(p.state(1)) * 1000), "too-fast", id="flood of frames"),
        pytest.param(bringing(lambda p: frame(PING) * 100_000), "too-fast", id="flood of pings"),
        pytest.param(bringing(lambda p: frame(TEXT, b"{}")), "not-binary", id="text"),
        pytest.param(bringing(lambda p: b"garbage that is no frame"), "malformed", id="garbage"),
        pytest.param(bringing(lambda p: frame(BINARY, b"\xbf" * 60_000)), "malformed", id="deep CBOR"),
        pytest.param(
            bringing(lambda p: frame(BINARY, cbor.encode([0] * 9000))), "malformed", id="many values"
        ),
        pytest.param(bringing(lambda p: close(1000)), "time-over", id="close 1000"),
        pytest.param(bringing(lambda p: close(4003)), "too-slow", id="close 4003"),
        pytest.param(bringing(lambda p: close(3999)), "closed", id="close 3999"),
        pytest.param(silent, "silent", id="endless silence"),
    ],
)
async def test_invariant_7_and_11_whatever_a_publisher_does_the_last_good_state_stays(
    world: HttpWorld, play: Play, word: str
) -> None:
    world.play = play
    good = await polled_once(world)
    world.publisher().silence = PeerUnreachable("no poll mends it")
    assert await over(world) == word
    assert world.seen().state == good
    assert world.streams.open == 0


async def test_invariant_7_a_frame_that_drips_is_cut_with_the_silence(world: HttpWorld) -> None:
    """Bytes are no messages: a connection that never brings a whole one says nothing."""

    async def drip(publisher: Publisher, peer: Peer) -> None:
        whole = full(publisher.state(2))
        await peer.send(sent_opening(publisher, peer) + whole[:2])
        for byte in whole[2:]:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.05)

    world.play = drip
    good = await polled_once(world)
    world.publisher().silence = PeerUnreachable("no poll mends it")
    began = world.clock.boot()
    assert await over(world) == "silent"
    assert world.clock.boot() - began < limits.STREAM_SILENCE + limits.STREAM_PING
    assert world.seen().state == good
