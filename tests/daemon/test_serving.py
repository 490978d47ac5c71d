"""A whole agent streams its state to a member, over its loopback port, its clock turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from enigma_fed.base import limits
from enigma_fed.base.ids import Did
from enigma_fed.config import Settings
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.paths import Paths
from enigma_fed.identity.signing import verify
from enigma_fed.wire import statedelta, stream
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.snapshot import App, sorted_apps
from enigma_fed.wire.state import DeltaAnswer, FullState, Have, StateAnswer, state_signing_input
from enigma_fed.wire.timestamps import to_text
from enigma_fed.wire.websocket import Opcode
from tests.support.captor import Captor
from tests.support.manualclock import ManualClock
from tests.support.signedcalls import key
from tests.support.streamcalls import stream_fields
from tests.support.streams import Subscriber, framed, masked

A = key(1)
NEW = App(id="new", status="running")


class Home:
    """An agent past its first three minutes, whose apps a test changes, and A, who has joined as observer."""

    def __init__(self, settings: Settings, paths: Paths) -> None:
        self.clock = ManualClock()
        self.apps = tuple(App(id=f"app-{number}", status="running", version="1") for number in range(9))
        self.agent = Agent(settings, paths, clock=self.clock, keep_log=False, apps=lambda: self.apps)
        self.port = 0
        self.did: Did

    async def start(self, session: aiohttp.ClientSession) -> None:
        await self.agent.start()
        node = self.agent.node
        address = node._listeners.address
        assert address is not None
        self.did, self.port = Did.parse(node._view.did), int(address.rpartition(":")[2])
        captor = Captor(session, A, self.did, address)
        made = await node.federation.create_invite(TrustLevel.OBSERVER, 3600)
        assert made.code is not None
        assert await captor.join(made.code, self.clock.wall()) == "ok"
        self.clock.advance(limits.CHALLENGE_AFTER_START)

    async def subscriber(self, have: Have | None = None) -> Subscriber:
        fields = stream_fields(A, self.did, self.clock.wall(), have=have)
        made = await Subscriber.asking(self.port, framed(fields))
        assert made.status == 101, made.body
        return made

    def change(self, app: App) -> None:
        """One app is different, or new."""
        others = tuple(each for each in self.apps if each.id != app.id)
        self.apps = sorted_apps((*others, app))
        self.clock.advance(limits.STATE_GAP)
        self.agent.node._state.changed()


@pytest.fixture
async def home(settings: Settings, paths: Paths) -> AsyncIterator[Home]:
    made = Home(settings, paths)
    async with aiohttp.ClientSession() as session:
        await made.start(session)
    yield made
    await made.agent.close()


async def answer(subscriber: Subscriber) -> StateAnswer:
    """The next frame."""
    kind, message = await subscriber.frame()
    assert kind == Opcode.BINARY
    return stream.decode_frame(message)


async def test_a_member_sees_a_change_of_an_app_as_a_signed_step(home: Home) -> None:
    """The stream is the member's first signed request after its join, and confirms it."""
    subscriber = await home.subscriber()
    state = await answer(subscriber)
    assert isinstance(state, FullState)
    assert state.snapshot.apps == home.apps
    home.change(App(id="app-4", status="stopped", version="1"))
    while state.snapshot.apps != home.apps:
        step = await answer(subscriber)
        assert isinstance(step, DeltaAnswer)
        assert step.delta.base == state.seq
        snapshot = statedelta.apply(state.snapshot, step.delta.patch)
        said = {"seq": step.delta.seq, "ts": step.delta.ts, "snapshot": snapshot}
        state = msgspec.structs.replace(state, **said, signature=step.signature)
        assert verify(home.did.public_key, state_signing_input(home.did.public_key, state), state.signature)
    subscriber.close()


async def test_invariant_6_a_removal_ends_the_stream_before_the_command_returns(home: Home) -> None:
    subscriber = await home.subscriber()
    await answer(subscriber)
    await home.agent.node.federation.remove(str(A.did))
    assert len(home.agent.node._publisher) == 0
    home.change(NEW)
    assert await subscriber.ending() is None
    fields = stream_fields(A, home.did, home.clock.wall())
    again = await Subscriber.asking(home.port, framed(fields))
    assert b'"removed"' in again.body
    for each in (subscriber, again):
        each.close()


async def test_invariant_6_a_peer_that_lost_its_trust_has_no_stream(home: Home) -> None:
    subscriber = await home.subscriber()
    await answer(subscriber)
    await home.agent.node.federation.set_trust(str(A.did), TrustLevel.UNTRUSTED)
    home.change(NEW)
    assert await subscriber.ending() is None
    fields = stream_fields(A, home.did, home.clock.wall())
    again = await Subscriber.asking(home.port, framed(fields))
    assert b'"not-allowed"' in again.body
    for each in (subscriber, again):
        each.close()


async def test_pings_of_a_subscriber_are_seen_as_a_sign_of_life(home: Home) -> None:
    subscriber = await home.subscriber()
    first = await answer(subscriber)
    assert isinstance(first, FullState)
    home.clock.advance(20)
    subscriber.send(masked(Opcode.PING, b""))
    while (await subscriber.frame())[0] != Opcode.PONG:
        pass
    seen = home.agent.node.federation.peer(str(A.did)).last_seen
    assert seen == to_text(int(home.clock.wall()))
    subscriber.close()


async def test_a_node_that_stops_says_so(home: Home) -> None:
    subscriber = await home.subscriber()
    await answer(subscriber)
    stopping = asyncio.create_task(home.agent.close())
    assert await subscriber.ending() == 1001
    subscriber.close()
    await stopping
