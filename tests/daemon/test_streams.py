"""Two agents in this process, polls an hour apart, one clock turned by hand: when a change is seen."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

import pytest
import pytest_asyncio

from enigma_fed.base import limits
from enigma_fed.daemon.node import RunningNode
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.wire.records import Via
from enigma_fed.wire.snapshot import App, Snapshot
from tests.support.agents import Build, Home, federate
from tests.support.manualclock import ManualClock

INTERVAL = 3600
PATIENCE = 60
"""Seconds of the real clock until a wait counts as failed."""


class Pair:
    """The publisher, and the subscriber, whose stream stands."""

    def __init__(self, publisher: Home, subscriber: Home, clock: ManualClock) -> None:
        self.publisher = publisher
        self.subscriber = subscriber
        self.clock = clock

    @property
    def here(self) -> RunningNode:
        """The subscriber's node."""
        return self.subscriber.agent.node

    @property
    def there(self) -> RunningNode:
        """The publisher's node."""
        return self.publisher.agent.node

    @property
    def stands(self) -> bool:
        """Whether the stream does."""
        streams = self.here.federation.streams
        return streams is not None and streams.stands(self.there._key.did)

    def seen(self) -> Snapshot:
        """What the subscriber knows of the publisher."""
        state = self.here.federation.store.observations[self.there._key.did].state
        assert state is not None
        return state.snapshot

    async def until(
        self, condition: Callable[[], object], *, seconds: float = 0, step: float = 0.25
    ) -> float:
        """Wait for it, with at most so many seconds of the agents' clock; how many it took."""
        began = self.clock.boot()
        async with asyncio.timeout(PATIENCE):
            while not condition():
                if self.clock.boot() - began < seconds:
                    self.clock.advance(step)
                await asyncio.sleep(0.01)
        return self.clock.boot() - began


@pytest_asyncio.fixture
async def pair(build: Build) -> Pair:
    clock = ManualClock()
    publisher, subscriber = build("attic"), build("cellar")
    for home in (publisher, subscriber):
        home.clock = clock
        home.settings = dataclasses.replace(
            home.settings,
            federation=dataclasses.replace(home.settings.federation, poll_interval=INTERVAL),
        )
        home.apps = tuple(App(id=f"app {number}", status="running") for number in range(30))
        await home.start()
    clock.advance(limits.CHALLENGE_AFTER_START)
    await federate(publisher, subscriber)
    made = Pair(publisher, subscriber, clock)
    await made.until(lambda: made.stands, seconds=60)
    await made.until(lambda: made.seen().apps)
    return made


def publish_app(pair: Pair, status: str) -> None:
    """An app of the publisher changes."""
    pair.publisher.apps = (App(id="app 0", status=status), *pair.publisher.apps[1:])
    pair.there._state.changed()


async def test_a_change_of_an_app_is_seen_within_two_seconds(pair: Pair) -> None:
    """At once, or when limits.STATE_GAP since the change before is over."""
    for status in ("stopped", "running", "failed"):
        publish_app(pair, status)
        took = await pair.until(lambda status=status: pair.seen().apps[0].status == status, seconds=2)  # type: ignore[misc]
        assert took < 2
    observation = pair.here.federation.store.observations[pair.there._key.did]
    assert observation.via is Via.STREAM
    view = await pair.subscriber.peer(pair.publisher)
    assert (view.via, view.liveness) == ("stream", "up")


async def test_a_change_of_tor_is_seen_within_two_seconds(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pair.seen().tor_active is False
    ready = TorStatus(mode=TorMode.MANAGED, phase=TorPhase.READY)
    monkeypatch.setattr(type(pair.there._tor), "status", ready, raising=False)
    pair.there._tor_changed(ready)
    assert await pair.until(lambda: pair.seen().tor_active, seconds=2) < 2


async def test_a_change_of_a_gauge_is_seen_within_twelve_seconds(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """limits.STATE_SAMPLE_INTERVAL, and limits.STATE_GAP."""

    def sample(tor_active: bool) -> Snapshot:
        return Snapshot(node_name="attic", cpu_tenths=777, tor_active=tor_active)

    monkeypatch.setattr(pair.there._state._sampler, "sample", sample)
    assert await pair.until(lambda: pair.seen().cpu_tenths == 777, seconds=12) < 12


async def test_a_publisher_that_restarts_is_polled_and_streams_again(pair: Pair) -> None:
    await pair.publisher.agent.close()
    await pair.until(lambda: not pair.stands)
    await pair.publisher.start()
    await pair.until(lambda: pair.stands, seconds=600, step=1)
    publish_app(pair, "mended")
    await pair.until(lambda: pair.seen().apps and pair.seen().apps[0].status == "mended", seconds=2)


async def test_invariant_6_a_removal_ends_the_stream_before_the_command_returns(pair: Pair) -> None:
    await pair.subscriber.ask("peer_remove", "attic")
    assert not pair.stands or await pair.until(lambda: not pair.stands) == 0
    assert pair.there._key.did not in pair.here.federation.store.observations
    await pair.until(lambda: not len(pair.there._publisher))


def published(pair: Pair) -> tuple[App, ...]:
    """The apps of the publisher's newest state."""
    current = pair.there._state._publisher.current
    assert current is not None
    return current.snapshot.apps


async def test_invariant_6_the_publishers_removal_ends_it_too(pair: Pair) -> None:
    await pair.publisher.ask("peer_remove", "cellar")
    await pair.until(lambda: not pair.stands)
    publish_app(pair, "secret")
    await pair.until(
        lambda: any(app.status == "secret" for app in published(pair)), seconds=2 * limits.STATE_GAP
    )
    for _ in range(50):  # turns in which a frame would come: both ends are in this process
        await asyncio.sleep(0)
    assert all(app.status != "secret" for app in pair.seen().apps)
