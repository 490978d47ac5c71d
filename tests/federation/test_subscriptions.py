"""A federation that streams from its peers, played with a clock turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    PeerUnreachable,
    RefusedByPeer,
    StreamNotOffered,
    UnsignedReply,
    WriteFailed,
)
from enigma_fed.rpc.streamend import StreamEnd
from enigma_fed.wire.records import Stage, Via
from enigma_fed.wire.state import Have
from enigma_fed.wire.timestamps import from_text
from tests.support.fakenetwork import until
from tests.support.identities import did
from tests.support.streamworld import Stream, World

P = str(did(1))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.stop()


async def test_a_stream_follows_a_poll_that_was_answered_and_polls_rest(world: World) -> None:
    """limits.STREAM_POLL_INTERVAL: what comes by the stream is stored and acknowledged at once."""
    await world.start()
    stream = await world.standing()
    peer = world.publisher()
    assert stream.have == Have(peer.epoch, 1), "what the poll told is where the stream goes on"
    assert stream.ping == limits.STREAM_PING
    polls = len(peer.polls)
    for seq in (2, 3, 9):
        peer.push(seq)
        await world.taken(1, seq)
    await world.settle()
    assert stream.acks == [2, 3, 9]
    assert (world.seen().via, world.federation.peer(P).via) == (Via.STREAM, "stream")
    await world.pass_time(0.89 * limits.STREAM_POLL_INTERVAL, 60)
    assert len(peer.polls) == polls, "an hour, less the jitter"
    await world.pass_time(0.22 * limits.STREAM_POLL_INTERVAL, 60)
    assert len(peer.polls) == polls + 1
    assert dict(world.streams.counts) == {"opened": 1, "resumed": 1, "frames": 3}


async def test_a_peer_is_up_as_long_as_its_stream_shows_signs_of_life(world: World) -> None:
    """PROTOCOL section 8; a sign of life alone is nothing to write down."""
    await world.start()
    stream = await world.standing()
    before = world.seen()
    for _ in range(20):
        await world.pass_time(limits.STREAM_PING, limits.STREAM_PING)
        stream.heard()
        assert world.federation.peer(P).liveness == "up"
    assert world.seen() is before
    began = world.federation.peer(P).stream_since
    assert began is not None
    assert from_text(began) == pytest.approx(world.clock.wall() - 20 * limits.STREAM_PING, abs=1)
    await world.pass_time(10 * 60)
    assert world.federation.peer(P).liveness == "offline"


async def test_when_a_stream_ends_polling_takes_over_at_once_and_the_stream_is_resumed(world: World) -> None:
    await world.start()
    first = await world.standing()
    peer = world.publisher()
    await world.pass_time(limits.STREAM_SETTLED)
    polls = len(peer.polls)
    peer.seq = 7
    first.end(StreamEnd.TIME_OVER)
    await until(lambda: len(peer.polls) == polls + 1)
    await world.taken(1, 7)
    assert world.seen().via is Via.POLL
    again = await world.standing()
    assert again is not first
    assert again.have == Have(peer.epoch, 7)
    assert world.streams.ends == {"time-over": 1}
    assert world.seen().stream_failures == 0


async def test_a_poll_under_way_when_the_stream_ends_is_followed_by_another(world: World) -> None:
    """The one under way may have been answered before the newest change."""
    await world.start()
    stream = await world.standing()
    peer = world.publisher()
    polls = len(peer.polls)
    peer.hold = asyncio.Event()
    asked = asyncio.create_task(world.federation.sync(P))
    await until(lambda: len(peer.polls) == polls + 1)
    stream.end()
    await until(lambda: not world.streams.stands(peer.did))
    peer.hold.set()
    await asked
    await until(lambda: len(peer.polls) == polls + 2)


async def test_the_owner_can_poll_while_a_stream_stands(world: World) -> None:
    """What came by either way takes nothing back, and breaks neither."""
    await world.start()
    stream = await world.standing()
    peer = world.publisher()
    stream.push(peer.delta(1, 2))
    peer.seq = 3
    await world.federation.sync(P)
    stream.push(peer.delta(2, 3))
    stream.push(peer.delta(3, 4))
    await world.taken(1, 4)
    await world.settle()
    assert stream.acks == [2, 3, 4]
    assert world.streams.stands(peer.did)


async def test_a_new_epoch_after_a_restart_of_the_peer_comes_by_the_stream_too(world: World) -> None:
    await world.start()
    first = await world.standing()
    peer = world.publisher()
    await world.pass_time(limits.STREAM_SETTLED)
    peer.silence = PeerUnreachable("it restarts")
    first.end(StreamEnd.GOING_AWAY)
    await world.settle()
    peer.restart()
    peer.silence = None
    stream = await world.standing()
    stream.push(peer.state(5))
    await world.taken(1, 5)
    state = world.seen().state
    assert state is not None
    assert state.epoch == peer.epoch
    assert world.streams.counts["full"] == 1


async def test_a_peer_that_offers_no_stream_is_polled_and_asked_again_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """limits.STREAM_ASKED_AGAIN, six hours; here shorter."""
    monkeypatch.setattr(limits, "STREAM_ASKED_AGAIN", 1200)
    await world.start()
    peer = world.publisher()
    peer.refusal = StreamNotOffered("HTTP status 404")
    await world.pass_time(120)
    assert world.streams.not_opened == {"not-offered": 1}
    polls = len(peer.polls)
    peer.refusal = None
    await world.pass_time(1000)
    assert len(peer.polls) - polls >= 13, "at the interval"
    assert list(peer.streams) == []
    await world.passing(lambda: peer.streams, 300)


async def test_it_is_asked_again_at_once_when_it_was_started_anew(world: World) -> None:
    await world.start()
    peer = world.publisher()
    peer.refusal = StreamNotOffered("method-not-found")
    await world.pass_time(120)
    peer.refusal = None
    peer.restart()
    await world.passing(lambda: peer.streams, 120)


async def test_a_refusal_is_left_to_the_polls_and_a_busy_peer_is_tried_again(world: World) -> None:
    await world.start(2)
    refusing, busy = world.publisher(1), world.publisher(2)
    refusing.refusal = RefusedByPeer("not-allowed")
    busy.refusal = RefusedByPeer("busy")
    await world.passing(lambda: world.streams.not_opened["refused"] == 2, 60)
    refusing.silence = RefusedByPeer("not-allowed")
    refusing.refusal = busy.refusal = None
    await world.passing(lambda: busy.streams, 40)
    await world.pass_time(300)
    assert refusing.streams == []
    assert world.federation.peer(P).last_error is not None


async def test_streams_that_break_at_once_are_tried_more_and_more_rarely_over_restarts_too(
    world: World, tmp_path: Path
) -> None:
    """limits.STREAM_SETTLED: one that lasts forgives them."""
    await world.start()
    peer = world.publisher()
    began = world.clock.boot()
    for number in range(1, 6):
        stream = await asyncio.wait_for(_next(world, number), 30)
        stream.end(StreamEnd.BROKEN)
        await until(lambda number=number: world.seen().stream_failures == number)  # type: ignore[misc]
    assert world.clock.boot() - began > 15 + 30 + 60 + 120 - 50
    await world.stop()
    again = World(tmp_path)
    again.publishers, again.clock = world.publishers, world.clock
    await again.start()
    assert again.seen().stream_failures == 5
    await again.pass_time(240)
    assert len(peer.streams) == 5
    await _next(again, 6)
    await again.pass_time(limits.STREAM_SETTLED)
    peer.stream.end(StreamEnd.BROKEN)
    await until(lambda: again.seen().stream_failures == 0)
    await again.stop()
    await world.start()


async def _next(world: World, number: int) -> Stream:
    publisher = world.publisher()
    await world.passing(lambda: len(publisher.streams) == number, 1000)
    await world.settle()
    return publisher.stream


async def test_a_peer_that_cannot_be_reached_for_a_stream_is_polled_all_the_same(world: World) -> None:
    await world.start()
    peer = world.publisher()
    peer.refusal = UnsignedReply("an answer came without its signature")
    await world.pass_time(600)
    assert len(peer.polls) >= 9
    assert 3 <= world.streams.not_opened["unsigned"] <= 6
    assert world.federation.peer(P).last_error is None


async def test_a_peer_that_does_not_answer_polls_frees_its_place(world: World) -> None:
    await world.start(2, most=1)
    first, second = world.publisher(1), world.publisher(2)
    second.silence = PeerUnreachable("nobody answers")
    first.refusal = RefusedByPeer("busy")
    await world.pass_time(90)
    first.silence, second.silence = PeerUnreachable("nobody answers"), None
    await world.passing(lambda: second.streams, 600)


async def test_there_are_no_more_streams_than_the_owner_wants(world: World) -> None:
    """limits.STREAMS_OUTBOUND is for who says nothing; the others are polled."""
    await world.start(4, most=2)
    await world.pass_time(120)
    assert world.streams.open == 2
    without = [number for number in range(1, 5) if not world.publisher(number).streams]
    assert all(len(world.publisher(number).polls) >= 2 for number in without)
    world.streams.change_most(1)
    await until(lambda: world.streams.open == 1)
    assert world.streams.ends == {"not-wanted": 1}
    world.streams.change_most(0)
    await until(lambda: world.streams.open == 0)
    await world.pass_time(120)
    assert world.streams.open == 0


async def test_who_fails_again_and_again_keeps_no_place_from_others(world: World) -> None:
    """Whoever answers polls and never a stream would hold one for ever, most of the time in a long pause."""
    await world.start(3, most=1)
    first, second, third = map(world.publisher, (1, 2, 3))
    second.silence = third.silence = PeerUnreachable("nobody answers")
    first.refusal = PeerUnreachable("no stream comes through")
    await world.passing(lambda: world.streams.not_opened["unreachable"] > 3, 600)
    second.silence = None
    await world.passing(lambda: world.streams.stands(second.did), 600)
    third.silence = None
    await world.pass_time(1200)
    assert world.streams.stands(second.did), "one that stands goes for nobody"
    assert not third.streams


async def test_streams_are_not_opened_all_at_once(world: World) -> None:
    """limits.STREAM_SPREAD: the subscribers of a peer that starts anew hear it again at the same time."""
    await world.start(12)
    for publisher in world.publishers.values():
        publisher.silence = PeerUnreachable("no way out")
    await world.pass_time(60)
    for publisher in world.publishers.values():
        publisher.silence = None
    await world.federation.sync(None)
    opened: list[int] = []
    for _ in range(limits.STREAM_SPREAD):
        await world.pass_time(1, 1)
        opened.append(world.streams.open)
    assert opened[-1] == 12
    assert 0 < opened[1] < 12


@pytest.mark.parametrize("stage", [Stage.USED, Stage.ANNOUNCED])
async def test_a_join_that_is_not_confirmed_gets_no_stream(world: World, stage: Stage) -> None:
    await world.start(1, stage=stage)
    world.publisher().silence = RefusedByPeer("unknown-peer")
    await world.pass_time(120)
    assert world.publisher().polls
    assert world.publisher().streams == []


async def test_a_paused_peer_has_no_stream_until_it_is_asked_again(world: World) -> None:
    await world.start()
    stream = await world.standing()
    await world.federation.pause(P, True)
    await until(lambda: stream.over)
    polls = len(world.publisher().polls)
    await world.federation.sync(P)
    await world.pass_time(300)
    assert len(world.publisher().polls) == polls + 1, "the owner's own poll brings no stream either"
    assert world.streams.open == 0
    await world.federation.pause(P, False)
    assert await world.standing() is not stream


async def test_a_disk_that_takes_nothing_ends_the_stream_and_no_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.start()
    stream = await world.standing()
    take = world.federation._courier.streams._states.take_frame  # type: ignore[union-attr]

    async def full(*arguments: object) -> object:
        raise WriteFailed("the disk is full")

    monkeypatch.setattr(world.federation._courier.streams._states, "take_frame", full)  # type: ignore[union-attr]
    stream.push(world.publisher().delta(1, 2))
    await until(lambda: stream.over)
    assert world.streams.ends == {"not-stored": 1}
    monkeypatch.setattr(world.federation._courier.streams._states, "take_frame", take)  # type: ignore[union-attr]
    await world.standing()


async def test_streams_end_when_the_node_stops(world: World) -> None:
    await world.start()
    stream = await world.standing()
    await world.federation.close()
    assert stream.over
    assert world.streams.ends == {"not-wanted": 1}
