"""One federation whose peers answer polls and streams as a test wants, with one clock turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from enigma_fed.base.errors import EnigmaError, PeerUnreachable, StreamEnded
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.client import StreamCaller
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.federation.subscriptions import Streaming, Subscriptions
from enigma_fed.rpc.client import Reply
from enigma_fed.rpc.streamend import StreamEnd
from enigma_fed.wire import statedelta
from enigma_fed.wire.join import JoinParams, JoinReply
from enigma_fed.wire.records import Node, Observation
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import (
    DeltaAnswer,
    FullState,
    Have,
    StateAnswer,
    Unchanged,
    state_signing_input,
)
from enigma_fed.wire.statedelta import StateDelta
from tests.support.fakenetwork import random_bytes, until
from tests.support.identities import did, key, onion
from tests.support.manualclock import ManualClock
from tests.support.members import NOW, member
from tests.support.memberships import commit, membership


class Stream:
    """The publisher's end of one stream."""

    def __init__(
        self, publisher: Publisher, have: Have | None, ping: float, heard: Callable[[], None]
    ) -> None:
        self.epoch = publisher.epoch
        self.have = have
        self.ping = ping
        self.heard = heard
        self.acks: list[int] = []
        self.over = False
        self._frames: asyncio.Queue[StateAnswer | EnigmaError] = asyncio.Queue()

    def push(self, answer: StateAnswer) -> None:
        """Send a frame."""
        self._frames.put_nowait(answer)

    def end(self, why: StreamEnd = StreamEnd.BROKEN) -> None:
        """End it."""
        self._frames.put_nowait(StreamEnded(why))

    async def frame(self) -> StateAnswer:
        frame = await self._frames.get()
        if isinstance(frame, EnigmaError):
            raise frame
        self.heard()
        return frame

    async def acknowledge(self, seq: int) -> None:
        self.acks.append(seq)


class Publisher:
    """A peer."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.did = did(number)
        self.epoch = bytes([number]) * 8
        self.seq = 1
        self.streams: list[Stream] = []
        self.polls: list[Have | None] = []
        self.refusal: EnigmaError | None = None
        """What it answers to a request for a stream."""
        self.silence: EnigmaError | None = None
        """What comes of a poll."""
        self.hold: asyncio.Event | None = None
        """Polls wait for it."""

    def state(self, seq: int | None = None, signer: int | None = None, **fields: Any) -> FullState:
        """Its state of this number, the present one by default."""
        seq = self.seq if seq is None else seq
        snapshot = Snapshot(node_name=f"peer {self.number}", uptime_secs=seq, **fields)
        state = FullState(
            epoch=self.epoch, started=NOW, seq=seq, ts=seq, snapshot=snapshot, signature=bytes(64)
        )
        message = state_signing_input(self.did.public_key, state)
        return msgspec.structs.replace(state, signature=key(signer or self.number).sign(message))

    def delta(self, base: int, seq: int, signer: int | None = None) -> DeltaAnswer:
        """The way from one of its states to another."""
        before, after = self.state(base), self.state(seq, signer)
        patch = statedelta.diff(before.snapshot, after.snapshot)
        return DeltaAnswer(StateDelta(base, seq, after.ts, patch), after.signature)

    def push(self, seq: int) -> None:
        """A new state, sent on its newest stream as a delta."""
        self.stream.push(self.delta(self.seq, seq))
        self.seq = seq

    def restart(self) -> None:
        """A new epoch, and the stream breaks."""
        self.epoch = bytes(byte + 1 for byte in self.epoch)
        self.seq = 1

    @property
    def stream(self) -> Stream:
        """The newest one."""
        return self.streams[-1]


class World:
    """Node 9, and its peers 1 to `peers`, all confirmed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.publishers: dict[Did, Publisher] = {}
        self.cuts = True
        """Whether a cut reaches the streams."""
        self.tasks = Tasks()

    async def start(
        self, peers: int = 1, most: int = 128, caller: StreamCaller | None = None, **changes: Any
    ) -> None:
        """Open what is stored (nothing the first time) and run; streams by another caller than this one."""
        if not self.publishers:
            FederationStore.create(self.folder)
            self.publishers = {did(number): Publisher(number) for number in range(1, peers + 1)}
        self.store = FederationStore(self.folder)
        self.store.open()
        self.tasks = Tasks()
        if not self.store.membership.nodes.nodes:
            members = [member(p.number, **changes) for p in self.publishers.values()]
            await commit(self.store, membership(nodes=members))
        self.federation = Federation(
            self.store,
            key(9),
            onion(9),
            "home",
            self.clock,
            random_bytes(9),
            self.tasks,
            self,
            Hooks(cut=self.cut),
            streaming=Streaming(caller or self, most),
        )
        self.federation.start()

    async def stop(self) -> None:
        """End as an agent does."""
        await self.federation.close()
        await self.tasks.close()

    @property
    def streams(self) -> Subscriptions:
        """What is tested."""
        streams = self.federation.streams
        assert streams is not None
        return streams

    def publisher(self, number: int = 1) -> Publisher:
        """A peer."""
        return self.publishers[did(number)]

    def seen(self, number: int = 1) -> Observation:
        """What is known of a peer."""
        return self.store.observations[did(number)]

    def held(self, number: int = 1) -> int:
        """The number of the state that is known of a peer."""
        state = self.seen(number).state
        assert state is not None
        return state.seq

    async def standing(self, number: int = 1) -> Stream:
        """The stream of this peer once it stands, with time passing."""
        publisher = self.publisher(number)
        await self.passing(lambda: self.streams.stands(publisher.did), 60)
        return publisher.stream

    async def passing(self, condition: Callable[[], object], seconds: float) -> None:
        """Turn the clock on until the condition holds; it must within so many seconds."""
        end = self.clock.boot() + seconds
        while not condition():
            assert self.clock.boot() < end, "it should have come"
            await self.pass_time(0.5, 0.5)

    async def pass_time(self, seconds: float, step: float = 5.0) -> None:
        """Turn the clock on; before each step everybody has come to rest."""
        end = self.clock.boot() + seconds
        while self.clock.boot() < end:
            self.clock.advance(min(step, end - self.clock.boot()))
            await self.settle()

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        quiet = 0
        while quiet < 15:
            busy = self.store.busy
            quiet = 0 if busy else quiet + 1
            await asyncio.sleep(0.001 if busy else 0)

    async def taken(self, number: int, seq: int) -> None:
        """Return once this state of a peer is known."""
        await until(lambda: self.held(number) == seq)

    def cut(self, who: Did) -> None:
        for stream in self.publishers[who].streams if self.cuts else ():
            stream.end(StreamEnd.CUT)

    # What a node calls its peers with.

    async def get_state(self, node: Node, have: Have | None, within: float = 0) -> Reply[StateAnswer]:
        publisher = self.publishers[node.did]
        publisher.polls.append(have)
        if publisher.hold is not None:
            await publisher.hold.wait()
        if publisher.silence is not None:
            raise publisher.silence
        current = publisher.state()
        same = have == Have(current.epoch, current.seq)
        return Reply(Unchanged() if same else current, 0.25, 0)

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> Reply[JoinReply]:
        raise PeerUnreachable("not here")

    @asynccontextmanager
    async def open(
        self, node: Node, have: Have | None, *, ping: float, heard: Callable[[], None]
    ) -> AsyncIterator[Stream]:
        publisher = self.publishers[node.did]
        if publisher.refusal is not None:
            raise publisher.refusal
        stream = Stream(publisher, have, ping, heard)
        publisher.streams.append(stream)
        try:
            yield stream
        finally:
            stream.over = True
