"""Peers that stream what does not hold, and peers that are removed while they stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable, StateRefused
from enigma_fed.state.receiving import Reason
from enigma_fed.wire.records import TrustLevel
from tests.support.fakenetwork import until
from tests.support.identities import did
from tests.support.streamworld import World

P = str(did(1))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.stop()


async def test_invariant_6_a_removed_peer_has_no_stream_and_nothing_of_it_is_kept(world: World) -> None:
    await world.start()
    stream = await world.standing()
    peer = world.publisher()
    stream.push(peer.delta(1, 2))
    await world.federation.remove(P)
    await until(lambda: stream.over)
    await world.settle()
    assert peer.did not in world.store.observations
    await world.pass_time(300)
    assert (len(peer.streams), world.streams.open) == (1, 0)
    stream.heard()
    assert peer.did not in world.store.observations


async def test_invariant_6_a_stream_that_no_cut_reached_ends_with_the_membership(world: World) -> None:
    await world.start()
    stream = await world.standing()
    world.cuts = False
    await world.federation.remove(P)
    await until(lambda: stream.over)


async def test_invariant_6_a_change_of_trust_ends_the_stream_and_polls_decide_anew(world: World) -> None:
    await world.start()
    stream = await world.standing()
    await world.federation.set_trust(P, TrustLevel.TRUSTED)
    await until(lambda: stream.over)
    again = await world.standing()
    assert again is not stream
    await world.federation.set_trust(P, TrustLevel.UNTRUSTED)
    await until(lambda: again.over)
    await world.pass_time(300)
    assert world.streams.open == 0
    assert world.seen().stream_failures == 0, "it was nobody's failure"


async def test_invariant_11_a_frame_that_does_not_hold_ends_the_stream_and_the_whole_state_is_asked_for(
    world: World,
) -> None:
    await world.start()
    stream = await world.standing()
    peer = world.publisher()
    await world.pass_time(limits.STREAM_SETTLED)
    polls = len(peer.polls)
    stream.push(peer.delta(1, 2, signer=3))
    await until(lambda: stream.over)
    assert world.held() == 1, "the last good state stays"
    await until(lambda: len(peer.polls) == polls + 1)
    assert peer.polls[-1] is None, "nothing is held that a delta could be of"
    assert world.streams.ends == {"mismatch": 1}
    assert stream.acks == []
    assert (await world.standing()) is not stream, "one mismatch may be an accident"


async def test_invariant_11_a_liar_gets_no_stream_until_it_is_started_anew(world: World) -> None:
    await world.start()
    peer = world.publisher()
    for _ in range(2):
        stream = await world.standing()
        stream.push(peer.delta(peer.seq, peer.seq + 1, signer=3))
        await until(lambda stream=stream: stream.over)  # type: ignore[misc]
    await world.pass_time(2 * 3600, 30)
    assert len(peer.streams) == 2
    assert len(peer.polls) > 60, "it is polled as ever"
    peer.restart()
    await world.passing(lambda: len(peer.streams) == 3, 600)


async def test_invariant_11_who_lies_twice_in_polls_loses_the_stream_that_stands(world: World) -> None:
    await world.start()
    stream = await world.standing()
    peer = world.publisher()
    peer.silence = StateRefused(Reason.BAD_SIGNATURE, "it does not hold")
    with pytest.raises(StateRefused):
        await world.federation.sync(P)
    await until(lambda: stream.over)
    peer.silence = None
    await world.pass_time(3600)
    assert (len(peer.streams), world.streams.open) == (1, 0)
    assert world.held() == 1, "the last good state stays"


@pytest.mark.parametrize(
    "lie",
    [
        lambda peer: peer.state(0),
        lambda peer: peer.state(1, tor_active=True),
        lambda peer: peer.delta(7, 9),
        lambda peer: peer.state(2, signer=3),
    ],
    ids=["lower seq", "two states", "another base", "another key"],
)
async def test_invariant_11_the_last_good_state_stays_whatever_a_stream_brings(world: World, lie) -> None:  # type: ignore[no-untyped-def]
    await world.start()
    stream = await world.standing()
    good = world.seen().state
    world.publisher().silence = PeerUnreachable("no poll mends it")
    stream.push(lie(world.publisher()))
    await until(lambda: stream.over)
    assert world.seen().state == good
    assert sum(world.streams.ends.values()) == 1


async def test_invariant_11_a_frame_of_another_epoch_than_the_signed_beginning_named_is_refused(
    world: World,
) -> None:
    await world.start()
    stream = await world.standing()
    peer = world.publisher()
    good = world.seen().state
    peer.silence = PeerUnreachable("no poll mends it")
    peer.restart()
    stream.push(peer.state(9))
    await until(lambda: stream.over)
    assert world.seen().state == good
    assert world.streams.ends == {"mismatch": 1}


async def test_invariant_7_a_state_without_room_ends_the_stream(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """limits.STATES_BYTES: what is not kept must not be kept by a stream either."""
    await world.start()
    stream = await world.standing()
    monkeypatch.setattr(limits, "STATES_BYTES", -1)
    stream.push(world.publisher().delta(1, 2))
    await until(lambda: stream.over)
    assert world.streams.ends == {"no-room": 1}
    await world.pass_time(300)
    assert world.streams.open == 0


async def test_invariant_7_frames_that_come_together_leave_others_their_turns(world: World) -> None:
    """A frame of a large state takes milliseconds, and one piece of a connection brings dozens of them."""
    await world.start()
    await world.standing()
    last = 30
    for seq in range(2, last + 1):
        world.publisher().push(seq)
    seen: set[int] = set()
    while world.held() < last:
        seen.add(world.held())
        await asyncio.sleep(0)
    assert len(seen) >= last - 2
