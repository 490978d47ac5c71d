"""The subscriber's end against the publisher's own door, states included, over a loopback connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import RefusedByPeer, StreamEnded, StreamNotOffered
from enigma_fed.rpc.streamclient import PeerStream
from enigma_fed.rpc.streamend import StreamEnd
from enigma_fed.state.service import StateService
from enigma_fed.state.streaming import StreamPublisher
from enigma_fed.wire.snapshot import App, Snapshot
from enigma_fed.wire.state import DeltaAnswer, FullState, Have, StateAnswer
from tests.support.fakenetwork import until
from tests.support.rpcserver import endpoint, serving, wire
from tests.support.signedcalls import FakeDoorkeeper, key, onion
from tests.support.streams import EPOCH, StreamServer, publishing
from tests.support.subscriber import Subscriber


class Gauges:
    """Always the same."""

    def sample(self, tor_active: bool) -> Snapshot:
        return Snapshot(node_name="barn", uptime_secs=1, tor_active=tor_active)


class Publisher(StreamServer):
    """One with states that are signed."""

    def __init__(self) -> None:
        super().__init__()
        self.apps = [App(id=f"app {number}", status="running") for number in range(30)]
        self.service = StateService(
            self.own, self.clock, EPOCH, Gauges(), lambda: True, self.tasks, lambda: tuple(self.apps)
        )
        self.publisher = StreamPublisher(
            self.service, self.clock, self.tasks, self.allowed.__contains__, self.pinged.append
        )
        self.restart()

    def change(self, status: str) -> None:
        """An app changes."""
        self.apps[3] = App(id="app 3", status=status)
        self.service.changed()

    async def next(self, stands: PeerStream) -> StateAnswer:
        """The next frame, while time passes for both sides; acknowledged."""
        reading = asyncio.create_task(stands.frame())
        while not reading.done():
            self.clock.advance(0.25)
            await asyncio.sleep(0.002)
        frame = await reading
        await stands.acknowledge(frame.delta.seq if isinstance(frame, DeltaAnswer) else _seq(frame))
        return frame


def _seq(frame: StateAnswer) -> int:
    assert isinstance(frame, FullState)
    return frame.seq


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing(Publisher()) as made:
        assert isinstance(made, Publisher)
        yield made


@pytest.fixture
async def subscriber(publisher: Publisher) -> AsyncIterator[Subscriber]:
    async with wire() as wires:
        wires.resolver.ports[str(onion(2))] = publisher.port
        made = Subscriber(wires)
        made.clock.advance(limits.CHALLENGE_AFTER_START)
        yield made


async def test_a_whole_state_comes_first_and_then_what_changed(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    async with subscriber.open() as stands:
        assert stands.epoch == EPOCH
        first = await publisher.next(stands)
        assert isinstance(first, FullState)
        assert (first.epoch, len(first.snapshot.apps)) == (EPOCH, 30)
        for status in ("stopped", "running"):
            publisher.change(status)
            frame = await publisher.next(stands)
            assert isinstance(frame, DeltaAnswer)
            assert [change.status for change in frame.delta.patch.changed] == [status]
    await publisher.until_ended(done=1)


async def test_it_goes_on_from_what_is_held(publisher: Publisher, subscriber: Subscriber) -> None:
    async with subscriber.open() as stands:
        held = await publisher.next(stands)
        assert isinstance(held, FullState)
    publisher.change("stopped")
    async with subscriber.open(Have(EPOCH, held.seq)) as stands:
        frame = await publisher.next(stands)
    assert isinstance(frame, DeltaAnswer)
    assert frame.delta.base == held.seq


async def test_a_publisher_in_doubt_about_replays_gets_its_challenge_answered(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    publisher.restart()
    async with subscriber.open() as stands:
        assert isinstance(await stands.frame(), FullState)


async def test_far_more_acknowledgements_than_fit_at_once_break_nothing(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    """One a second, as states may come, is what limits.STREAM_MESSAGES allows."""
    async with subscriber.open() as stands:
        assert isinstance(await publisher.next(stands), FullState)
        for number in range(3 * limits.STREAM_MESSAGES_BURST):
            publisher.change(f"status {number}")
            subscriber.clock.advance(limits.STATE_GAP)
            assert isinstance(await publisher.next(stands), DeltaAnswer)
    await publisher.until_ended(done=1)


async def test_a_newer_stream_of_ours_takes_the_place_of_the_older(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    async with subscriber.open() as older, subscriber.open() as newer:
        assert isinstance(await newer.frame(), FullState)
        first = await older.frame()
        assert isinstance(first, FullState)
        with pytest.raises(StreamEnded) as ended:
            await older.frame()
    assert ended.value.reason == StreamEnd.REPLACED


async def test_a_publisher_that_stops_says_so_and_one_that_cuts_does_not(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    def cut() -> None:
        publisher.endpoint.cut(key(1).did)

    for end, reason in ((cut, StreamEnd.BROKEN), (publisher.publisher.close, StreamEnd.GOING_AWAY)):
        async with subscriber.open() as stands:
            await stands.frame()
            end()
            with pytest.raises(StreamEnded) as ended:
                await stands.frame()
        assert ended.value.reason == reason


async def test_who_is_no_member_hears_why(publisher: Publisher, subscriber: Subscriber) -> None:
    for removed, word in (([], "unknown-peer"), ([key(1).did], "removed")):
        publisher.doorkeeper.trust.clear()
        publisher.doorkeeper.removed.update(removed)
        with pytest.raises(RefusedByPeer) as refused:
            async with subscriber.open():
                pass
        assert refused.value.code == word


async def test_pings_keep_a_stream_on_which_nothing_changes(
    publisher: Publisher, subscriber: Subscriber
) -> None:
    async with subscriber.open() as stands:
        await publisher.next(stands)
        reading = asyncio.create_task(stands.frame())
        for number in range(1, 8):
            await until(lambda: subscriber.clock.sleepers)
            subscriber.clock.advance(limits.STREAM_PING)
            await until(lambda number=number: len(publisher.pinged) >= number)  # type: ignore[misc]
            await until(lambda number=number: subscriber.heard > number)  # type: ignore[misc]
            await publisher.look(limits.STREAM_PING)
        reading.cancel()
        await asyncio.wait({reading})
        assert publisher.ended == {}


async def test_a_node_without_streams_is_told_apart(subscriber: Subscriber) -> None:
    other = endpoint(key(2), FakeDoorkeeper(key(2).did, members=[key(1).did]), subscriber.clock)
    async with serving(other.runner()) as port:
        subscriber.wires.resolver.ports[str(onion(2))] = port
        with pytest.raises(StreamNotOffered):
            async with subscriber.open():
                pass
