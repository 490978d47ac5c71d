"""One home with any number of confirmed peers in this process: no sockets, a real disk, real signatures."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import NoReturn

import msgspec

from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import PeerUnreachable
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.decision import Decision
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.client import Reply
from enigma_fed.storage.disk import Disk
from enigma_fed.wire.join import JoinParams
from enigma_fed.wire.records import Membership, Node, NodesFile, Role, Stage, TrustLevel
from enigma_fed.wire.snapshot import App, Snapshot
from enigma_fed.wire.state import FullState, Have, StateAnswer, state_signing_input
from tests.support.fakenetwork import random_bytes
from tests.support.manualclock import ManualClock

APPS = 30
"""Apps of a usual peer."""


class CountingDisk(Disk):
    """Counts what is written, by the name of the file."""

    def __init__(self) -> None:
        self.written: dict[str, int] = {}
        self.reads = 0
        self._open: dict[int, str] = {}

    def read(self, path: Path, limit: int) -> bytes:
        self.reads += 1
        return super().read(path, limit)

    def write_new(self, path: Path, *parts: bytes) -> None:
        name = path.name.removesuffix(".tmp")
        self.written[name] = self.written.get(name, 0) + sum(map(len, parts))
        super().write_new(path, *parts)


class Peer:
    """A peer that answers at once, with a new state in each round."""

    def __init__(self, number: int, apps: int) -> None:
        seed = hashlib.sha256(f"peer {number}".encode()).digest()
        self.key = NodeKey(seed)
        self.onion = OnionAddress(NodeKey(hashlib.sha256(seed).digest()).did.public_key)
        self.name = f"peer-{number}"
        self.node = Node(
            did=self.key.did,
            onion=self.onion,
            trust_level=TrustLevel.OBSERVER,
            added_at=1_700_000_000,
            stage=Stage.CONFIRMED,
            stage_at=1_700_000_000,
            joined_as=Role.INVITER,
            joined_with=(seed,),
            name=self.name,
        )
        self._apps = tuple(
            App(id=f"an-app-of-the-household-{index:03}", status="running", version=f"1.{index}.0")
            for index in range(apps)
        )
        self.state = self._signed(1)
        self._prepared: list[FullState] = []

    def change(self) -> None:
        """Another state, signed."""
        self.state = self._signed(self.state.seq + 1)

    def prepare(self, count: int) -> None:
        """Sign that many states ahead: from now on each answer has the next of them."""
        self._prepared = [self._signed(self.state.seq + 1 + number) for number in reversed(range(count))]

    def answer(self) -> FullState:
        """What it answers."""
        if self._prepared:
            self.state = self._prepared.pop()
        return self.state

    def _signed(self, seq: int) -> FullState:
        snapshot = Snapshot(
            node_name=self.name, apps=self._apps, cpu_tenths=seq % 1000, mem_used_kib=seq, uptime_secs=seq
        )
        state = FullState(
            epoch=self.onion.public_key[:8],
            started=1_700_000_000,
            seq=seq,
            ts=seq,
            snapshot=snapshot,
            signature=b"",
        )
        signed = self.key.sign(state_signing_input(self.key.did.public_key, state))
        return msgspec.structs.replace(state, signature=signed)


class Town:
    """The home, its peers and the network between them; a `PeerCaller`."""

    def __init__(
        self, folder: Path, peers: int, *, apps: int = APPS, clock: Clock | None = None, interval: float = 60
    ) -> None:
        """`clock` is one that is turned by hand unless given; `interval` is that of the polls, in seconds."""
        self.hands = ManualClock()
        self.clock = clock or self.hands
        self._interval = interval
        self.folder = folder
        self.disk = CountingDisk()
        self.peers = {peer.key.did: peer for peer in (Peer(number, apps) for number in range(peers))}
        self.polls: list[Did] = []
        self.answers = 0
        self.written_at_start = 0
        """Bytes of nodes.json that its making took."""
        self.under_way = 0
        self.silent: set[Did] = set()
        """Peers that keep a call until `give_up`."""
        self._given_up = asyncio.Event()
        FederationStore.create(folder)
        self.store: FederationStore
        self.federation: Federation
        self.tasks: Tasks

    async def open(self) -> None:
        """Write the membership and start to poll."""
        store = FederationStore(self.folder, disk=self.disk)
        store.open()
        nodes = NodesFile(nodes=tuple(peer.node for peer in self.peers.values()))
        await store.transact(lambda _: Decision(Membership(nodes=nodes), None))
        self.written_at_start = self.disk.written["nodes.json"]
        self.start()

    def start(self) -> None:
        """Open the store and poll, as an agent does."""
        self.tasks = Tasks()
        self.store = FederationStore(self.folder, disk=self.disk)
        self.store.open()
        key = NodeKey(bytes(32))
        self.federation = Federation(
            self.store,
            key,
            OnionAddress(key.did.public_key),
            "home",
            self.clock,
            random_bytes(7),
            self.tasks,
            self,
            Hooks(),
            poll_interval=self._interval,
        )
        self.federation.start()

    async def die(self) -> None:
        """End as by kill -9."""
        await self.tasks.close()

    async def close(self) -> None:
        """End as an agent does."""
        await self.federation.close()
        await self.tasks.close()

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Turn the clock on in steps; before each, everybody has come to rest."""
        end = self.hands.boot() + seconds
        while self.hands.boot() < end:
            self.hands.advance(min(step, end - self.hands.boot()))
            await self.rest()

    async def rest(self) -> None:
        """Return when no answer is on its way and nothing is being written."""
        quiet = 0
        while quiet < 15:
            busy = self.store.busy or self.under_way > len(self.silent)
            quiet = 0 if busy else quiet + 1
            await asyncio.sleep(0.0005 if self.store.busy else 0)

    def change(self) -> None:
        """Every peer has another state from now on."""
        for peer in self.peers.values():
            peer.change()

    def give_up(self) -> None:
        """The calls to silent peers end without an answer."""
        given_up, self._given_up = self._given_up, asyncio.Event()
        given_up.set()

    async def get_state(self, node: Node, have: Have | None, within: float = 0) -> Reply[StateAnswer]:
        self.polls.append(node.did)
        self.under_way += 1
        try:
            await (self._given_up.wait() if node.did in self.silent else asyncio.sleep(0))
        finally:
            self.under_way -= 1
        if node.did in self.silent:
            raise PeerUnreachable("nobody answers at its onion address")
        self.answers += 1
        return Reply(self.peers[node.did].answer(), 0.25, 0)

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> NoReturn:
        raise PeerUnreachable("nobody joins here")
