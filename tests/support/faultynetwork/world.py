"""Homes that show each other their states over a bad network: all of the program but Tor and the sockets.

Real are the publisher, the endpoint with its gate, the client, the federation with its lines and its store
(over a disk in memory). The machine's gauges, apps and tor are in the test's hands, and so is every clock.
"""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
import msgspec
from aiohttp import web

from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.federation.client import GET_STATE, PeerCaller, RpcPeerCaller
from enigma_fed.federation.store import FederationStore
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.client import RpcClient
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.httpreply import HttpReply
from enigma_fed.rpc.methods import Caller, Method, MethodTable, Result
from enigma_fed.state.service import StateService
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.snapshot import App, Snapshot
from enigma_fed.wire.state import GetStateParams, full_state_to_object
from tests.support.fakenetwork import Home, Network, settle
from tests.support.faultynetwork import secondopinion as rule
from tests.support.faultynetwork.judge import LABEL, Judge, Place
from tests.support.faultynetwork.lies import Liar, Lie, Said
from tests.support.faultynetwork.post import ArrivingRequest, MemorySession, PostOffice
from tests.support.manualclock import ManualClock
from tests.support.members import member
from tests.support.memberships import commit, membership
from tests.support.memorydisk import MemoryDisk

_OK: Final = 200


class WatchedKey(NodeKey):
    """A node key that tells the judge what it signs."""

    __slots__ = ("_judge",)

    def __init__(self, seed: bytes, judge: Judge) -> None:
        super().__init__(seed)
        self._judge = judge

    def sign(self, message: bytes) -> bytes:
        self._judge.signs(self.did.public_key, message)
        return super().sign(message)


class OwnClock:
    """The world's time, with a wall clock that may be wrong."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.wrong = 0.0
        """Seconds that the wall clock is ahead."""

    def wall(self) -> float:
        return self._clock.wall() + self.wrong

    def boot(self) -> float:
        return self._clock.boot()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


class Machine:
    """What a home's state is made of."""

    def __init__(self, name: str) -> None:
        self.gauges = Snapshot(node_name=name, cpu_tenths=10, mem_used_kib=1000, uptime_secs=100)
        self.apps: tuple[App, ...] = ()
        self.tor = True

    def sample(self, tor_active: bool) -> Snapshot:
        return msgspec.structs.replace(self.gauges, tor_active=tor_active)


class StateHome(Home):
    """A home whose state is published as the agent does it."""

    network: FaultyNetwork

    def __init__(self, network: FaultyNetwork, number: int, folder: Path, name: str) -> None:
        super().__init__(network, number, folder, name)
        self.key = WatchedKey(bytes([number]) * 32, network.judge)
        self.own_clock = OwnClock(network.clock)
        self.clock = self.own_clock
        self.memory = MemoryDisk()
        self.disk = self.memory  # type: ignore[assignment]
        self.machine = Machine(name)
        self.liar = Liar(self.key.sign, self.did.public_key, random.Random(f"{network.office.seed}/{number}"))
        self.lie: Lie | None = None
        self.lied = False
        """Whether it has lied since its start."""
        self.up = False
        self.life = 0
        self.service: StateService

    def start(self) -> None:
        super().start()
        self.up, self.lied = True, False
        self.life = next(self.network.lives)
        self.network.judge.begins(self.did.public_key, self.epoch)

    async def end(self, *, kill: bool) -> None:
        """Stop, or die."""
        self.up = False
        self.network.ended(self)
        await (self.die() if kill else self.stop())
        self.network.judge.forgets(self.life)

    async def answer(self, caller: Caller, params: GetStateParams) -> Result:
        """The method that peers call."""
        result = await self.service.answer(params)
        self.note(full_state_to_object(await self.service.current(), binary=True))
        if self.lie is None or params.plain:
            return result
        return self.told_lie(None if params.have is None else Place(params.have.epoch, params.have.seq))

    def told_lie(self, have: Place | None) -> Said:
        """What it says to somebody who has this."""
        assert self.lie is not None
        self.lied = True
        self.network.office.counts["lies"] += 1
        self.liar.have = have
        others = [home.liar.current for home in self.network.people if home is not self]
        self.liar.others = [full for full in others if full]
        return Said(self.lie(self.liar))

    def note(self, full: dict[str, Any]) -> None:
        """Remember what it would honestly say."""
        if self.liar.current and full != self.liar.current:
            self.liar.past = [*self.liar.past, self.liar.current][-50:]
        self.liar.current = full

    def publish(self) -> None:
        """A state service for this life."""
        machine = self.machine
        self.service = StateService(
            self.key,
            self.clock,
            self.epoch,
            machine,
            lambda: machine.tor,
            self.tasks,
            lambda: machine.apps,
        )

    def newest(self) -> Place | None:
        """What its key signed last in this epoch."""
        signed = self.network.judge.publisher(self.did.public_key).signed
        mine = [m for m in signed if m[len(LABEL) + 32 :].startswith(self.epoch)]
        at = len(LABEL) + 48
        seqs = [int.from_bytes(m[at : at + 8], "big") for m in mine]
        return Place(self.epoch, max(seqs)) if seqs else None

    def held(self, other: StateHome) -> Place | None:
        """Which state of another home it holds."""
        seen = self.store.observations.get(other.did)
        return None if seen is None or seen.state is None else Place(seen.state.epoch, seen.state.seq)


class FaultyNetwork(Network):
    """`post.PostOffice` carries what the homes send, and the judge sees it."""

    def __init__(self, seed: int, homes: int = 3) -> None:
        super().__init__(Path("/homes"))
        self.judge = Judge()
        self.office = PostOffice(self.clock, seed, self._handle)
        self.lives = itertools.count(1)
        self.people = [StateHome(self, n, self.folder / str(n), f"home {n}") for n in range(1, homes + 1)]
        self._endpoints: dict[OnionAddress, RpcEndpoint] = {}
        self._clients: dict[OnionAddress, RpcClient] = {}

    async def begin(self) -> None:
        """Everybody is a confirmed member at everybody's, and starts."""
        for home in self.people:
            others = [member(other.number) for other in self.people if other is not home]
            FederationStore.create(home.folder, disk=home.memory)
            store = FederationStore(home.folder, disk=home.memory)
            store.open()
            await commit(store, membership(nodes=others))
            self.homes[home.onion] = home
            home.start()

    def caller(self, home: Home) -> PeerCaller:
        def skewed(did: Did, seconds: int) -> None:
            home.federation.note_skew(did, seconds)

        session = cast(aiohttp.ClientSession, MemorySession(self.office, home.name))
        client = RpcClient(home.key, session, home.clock, os.urandom, skewed=skewed)
        self._clients[home.onion] = client
        return RpcPeerCaller(client, home.clock)

    def serve(self, home: Home) -> None:
        assert isinstance(home, StateHome)
        home.publish()
        get_state = Method(GET_STATE, GetStateParams, home.answer, TrustLevel.OBSERVER, open_to_self=True)
        self._endpoints[home.onion] = RpcEndpoint(
            home.key, MethodTable((get_state,)), home.federation, home.clock, os.urandom
        )

    def cut(self, home: Home, did: Did) -> None:
        self._endpoints[home.onion].cut(did)
        self._clients[home.onion].cut(did)

    def ended(self, home: StateHome) -> None:
        """This home ends."""

    @property
    def busy(self) -> bool:
        return super().busy or self.office.under_way > 0

    async def close(self) -> None:
        await self.office.close()
        for home in self.people:
            if home.up:
                await home.end(kill=False)

    async def rest(self) -> None:
        """Let everybody come to rest, then look at everything."""
        await settle(self)
        self.look()

    def look(self) -> None:
        """Show the judge what every home holds and shows."""
        for home in self.people:
            for other in self.people:
                if home.up and other is not home:
                    self._look_at(home, other)

    def _look_at(self, home: StateHome, other: StateHome) -> None:
        seen, public_key = home.store.observations.get(other.did), other.did.public_key
        if seen is not None and seen.state is not None:
            full = full_state_to_object(seen.state, binary=True)
            self.judge.holds(home.life, public_key, full, liar=other.lied)
        shown = home.federation.peer(str(other.did)).last_state
        if shown is not None:
            members = msgspec.to_builtins(shown)
            del members["timestamp"]
            members["apps"] = [msgspec.to_builtins(app) for app in shown.apps]
            self.judge.shows(public_key, members)

    def behind(self) -> list[str]:
        """Who does not show whose newest state."""
        return [
            f"{home.name} holds {home.held(other)} of {other.name}, which is at {other.newest()}"
            for home in self.people
            for other in self.people
            if other is not home and (home.held(other) is None or home.held(other) != other.newest())
        ]

    async def _handle(self, onion: OnionAddress, request: ArrivingRequest) -> HttpReply:
        home = self.homes[onion]
        assert isinstance(home, StateHome)
        life, asked = home.life, request.content.read_nowait()
        if not home.up:
            raise aiohttp.ServerDisconnectedError
        response = await self._endpoints[onion].handle(cast(web.BaseRequest, request))
        if not home.up or home.life != life:
            raise aiohttp.ServerDisconnectedError
        assert isinstance(response, HttpReply)
        self.judge_answer(home, asked, response.status, cast(bytes, response.body))
        return response

    def judge_answer(self, home: StateHome, asked: bytes, status: int, answered: bytes) -> None:
        """Show the judge what an honest home answers."""
        if home.lied or status != _OK:
            return
        reply = rule.read(answered)
        if "result" not in reply:
            return
        have = rule.read(asked)["params"]["have"]
        newest = home.newest()
        assert newest is not None
        place = None if have is None else Place(have["epoch"], have["seq"])
        self.judge.answer(home.did.public_key, place, reply["result"], newest)
