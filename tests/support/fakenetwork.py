"""Homes in one process, their federations tied by a network of function calls and one manual clock."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import PeerUnreachable, RefusedByPeer, UnsignedReply
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.base.rpc_errors import Removed, RpcError, UnknownPeer, UnknownToken
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.client import GET_STATE, PEER_JOINED, PeerCaller
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.federation.subscriptions import Streaming
from enigma_fed.rpc.client import Reply
from enigma_fed.rpc.methods import Standing
from enigma_fed.wire.join import JoinParams, JoinReply
from enigma_fed.wire.records import IncomingInvite, Node, TrustLevel
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState, Have, StateAnswer, state_signing_input
from tests.support.faultydisk import FaultyDisk
from tests.support.identities import key, onion
from tests.support.manualclock import ManualClock

T = TypeVar("T")


def random_bytes(seed: int) -> Callable[[int], bytes]:
    """Bytes that look random and are the same in every run."""
    counter = itertools.count()

    def draw(size: int) -> bytes:
        return hashlib.shake_128(f"{seed}/{next(counter)}".encode()).digest(size)

    return draw


class Home:
    """One node."""

    def __init__(self, network: Network, number: int, folder: Path, name: str) -> None:
        self.network = network
        self.number = number
        self.folder = folder
        self.name = name
        self.key = key(number)
        self.onion = onion(number)
        self.did = self.key.did
        self.clock: Clock = network.clock
        self.cuts: list[Did] = []
        self.told: list[tuple[Did, Snapshot, int]] = []
        """What the federation told of states that it stored."""
        self.removed: list[Did] = []
        self.calls = 0
        """How many calls it has made."""
        self.starts = 0
        self.epoch = bytes(8)
        self.disk = FaultyDisk()
        self.tasks = Tasks()
        self.federation: Federation
        self.store: FederationStore

    def start(self) -> None:
        """Open the store and run, as an agent does."""
        self.starts += 1
        self.epoch = bytes([self.number, self.starts]) * 4
        self.tasks = Tasks()
        self.store = FederationStore(self.folder, disk=self.disk)
        self.store.open()
        self.federation = Federation(
            self.store,
            self.key,
            self.onion,
            self.name,
            self.clock,
            random_bytes(self.number * 100 + self.starts),
            self.tasks,
            self.network.caller(self),
            Hooks(
                cut=self._cut,
                state_stored=lambda *what: self.told.append(what),
                removed=self.removed.append,
            ),
            streaming=self.network.streaming(self),
        )
        self.network.serve(self)
        self.federation.start()

    def _cut(self, did: Did) -> None:
        self.cuts.append(did)
        self.network.cut(self, did)

    async def stop(self) -> None:
        """End as an agent does."""
        await self.federation.close()
        await self.tasks.close()

    async def die(self) -> None:
        """End as by kill -9: nothing is written any more."""
        await self.tasks.close()

    def state(self) -> FullState:
        """Its present state, signed."""
        now = int(self.network.clock.wall())
        state = FullState(
            epoch=self.epoch,
            started=now - 100,
            seq=int(self.network.clock.boot()),
            ts=100,
            snapshot=Snapshot(node_name=self.name, tor_active=True, uptime_secs=100),
            signature=b"",
        )
        state = msgspec.structs.replace(state, started=self.network.started, ts=now - self.network.started)
        message = state_signing_input(self.did.public_key, state)
        return msgspec.structs.replace(state, signature=self.key.sign(message))

    def node(self, other: Home) -> Node:
        """How it sees another home."""
        node = self.store.node(other.did)
        assert node is not None
        return node

    def incoming(self) -> IncomingInvite:
        """The newest invite that it accepted."""
        return self.store.membership.invites.incoming[-1]


class Network:
    """Who is reachable, and which replies get lost."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.started = int(self.clock.wall())
        self.folder = folder
        self.homes: dict[OnionAddress, Home] = {}
        self.offline: set[Did] = set()
        self.lose_replies = 0
        """How many of the next replies are lost on the way."""

    def home(self, number: int, name: str) -> Home:
        """A new home, initialised and started."""
        folder = self.folder / name
        FederationStore.create(folder)
        home = Home(self, number, folder, name)
        self.homes[home.onion] = home
        home.start()
        return home

    def caller(self, home: Home) -> PeerCaller:
        """How this home, which starts, calls the others."""
        return Caller(self, home)

    def streaming(self, home: Home) -> Streaming | None:
        """How this home, which starts, gets streams of the others; asked for after `caller`."""
        return None

    def serve(self, home: Home) -> None:
        """This home, which starts, is to be reached from now on."""

    def cut(self, home: Home, did: Did) -> None:
        """This home ends what is under way with a peer."""

    @property
    def busy(self) -> bool:
        """Whether something moves by itself, without the clock."""
        return any(home.store.busy for home in self.homes.values())

    async def close(self) -> None:
        """Stop every home."""
        for home in self.homes.values():
            await home.stop()

    async def call(
        self,
        caller: Home,
        onion: OnionAddress,
        method: str,
        trust: TrustLevel | None,
        serve: Callable[[Home], Awaitable[T]],
        params: JoinParams | None = None,
    ) -> Reply[T]:
        """One signed call: who is asked what in the order of rpc/gate.py and rpc/endpoint.py."""
        caller.calls += 1
        target = self.homes[onion]
        if caller.did in self.offline or target.did in self.offline:
            raise PeerUnreachable("nobody answers at its onion address")
        door = target.federation
        standing = door.standing(caller.did)
        examine(door, standing, caller.did, params)
        try:
            if standing is Standing.MEMBER:
                await door.admit(caller.did, method, trust)
            result = await serve(target)
        except RpcError as error:
            raise RefusedByPeer(error.code) from None
        if self.lose_replies:
            self.lose_replies -= 1
            raise PeerUnreachable("the connection broke before its answer came")
        return Reply(result, 0.25, 0)


def examine(door: Federation, standing: Standing, caller: Did, params: JoinParams | None) -> None:
    """The gate: a stranger's token is looked up before its signature is checked, a removed DID's after."""
    if standing is Standing.MEMBER:
        door.heard(caller)
    elif standing is Standing.UNKNOWN and params is not None:
        try:
            door.check_token(params)
        except RpcError as error:
            raise UnsignedReply("unsigned", claimed_code=error.code) from None
    elif standing is Standing.REMOVED and params is not None:
        try:
            door.check_token(params)
        except RpcError as error:
            raise RefusedByPeer(Removed.code if isinstance(error, UnknownToken) else error.code) from None
    else:
        raise RefusedByPeer(Removed.code if standing is Standing.REMOVED else UnknownPeer.code)


class Caller:
    """`PeerCaller` of one home."""

    def __init__(self, network: Network, home: Home) -> None:
        self._network = network
        self._home = home

    async def get_state(self, node: Node, have: Have | None, within: float = 0) -> Reply[StateAnswer]:
        async def serve(target: Home) -> StateAnswer:
            return target.state()

        return await self._network.call(self._home, node.onion, GET_STATE, TrustLevel.OBSERVER, serve)

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> Reply[JoinReply]:
        async def serve(target: Home) -> JoinReply:
            return await target.federation.joined(self._home.did, params)

        return await self._network.call(self._home, onion, PEER_JOINED, None, serve, params)


async def until(condition: Callable[[], object], what: str = "it should come") -> None:
    """Give the other tasks their turns (and their disk its time) until the condition holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what it looks at has no event
            await asyncio.sleep(0.001)
    assert condition(), what


async def pass_time(network: Network, seconds: float, step: float = 1.0) -> None:
    """Turn the clock on in steps; before each, everybody has come to rest."""
    end = network.clock.boot() + seconds
    await settle(network)
    while network.clock.boot() < end:
        network.clock.advance(min(step, end - network.clock.boot()))
        await settle(network)


async def settle(network: Network) -> None:
    """Return when every task waits for the clock and nothing is being written."""
    quiet = 0
    while quiet < 25:
        busy = network.busy
        quiet = 0 if busy else quiet + 1
        await asyncio.sleep(0.001 if busy else 0)
