"""Homes of the join model: the real federation code on simulated disks, clocks and a bad network.

Nothing runs by itself. Every coroutine stops where the real one waits (for the store's lock, for a
peer's answer) and goes on when the driver says so, so any interleaving can be had and repeated.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from enigma_fed.base.errors import EnigmaError, PeerUnreachable, RefusedByPeer, UnsignedReply, WriteFailed
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.base.rpc_errors import RpcError
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation import inviting, news, repair
from enigma_fed.federation.client import GET_STATE, PEER_JOINED
from enigma_fed.federation.decision import Decide, Decision, File, Order, written
from enigma_fed.federation.exchange import Exchange
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.rpc.client import Reply
from enigma_fed.rpc.methods import Standing
from enigma_fed.wire import invitesfile, nodesfile
from enigma_fed.wire.join import JoinParams, JoinReply, TokenlessJoin
from enigma_fed.wire.records import (
    InvitesFile,
    Membership,
    Node,
    NodesFile,
    Observation,
    Tombstone,
    TrustLevel,
)
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState, Have, StateAnswer, Unchanged, state_signing_input
from tests.support.fakenetwork import examine
from tests.support.identities import key, onion

T = TypeVar("T")

START = 1_800_000_000


class Crash(BaseException):
    """A kill in the middle of a write: no code of the node runs any more."""


@dataclass(slots=True)
class Wait:
    """Where a coroutine stopped: for the store's lock, or for the answer to a call."""

    call: Call | None = None

    def __await__(self) -> Generator[Wait, Any, Any]:
        return (yield self)


@dataclass(slots=True)
class Call:
    """One signed request on its way."""

    caller: ModelHome
    target: OnionAddress
    method: str
    trust: TrustLevel | None
    params: JoinParams | None = None
    have: Have | None = None
    task: ModelTask | None = None
    """Who waits for the answer; None when nobody does."""


@dataclass(slots=True)
class ModelTask:
    """One coroutine of a home, and where it stands."""

    home: ModelHome
    what: str
    peer: Did
    work: Coroutine[Wait, Any, Any]
    deed: Any = None
    key: object = None
    call: Call | None = None
    """The request that it answers."""
    waits: Wait | None = None
    dropped: bool = False
    """Cancelled: what it has asked the store for is still done, and then nothing more."""


def run_now(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end without letting anybody else in; raises what it raises."""
    try:
        while True:
            work.send(None)
    except StopIteration as end:
        return cast(T, end.value)


class ModelStore:
    """A `FederationStore` over two values that a crash leaves as they were last written."""

    def __init__(self) -> None:
        self.nodes_on_disk = NodesFile()
        self.invites_on_disk = InvitesFile()
        self.membership = Membership()
        self.stored = Membership()
        self.candidate: Membership | None = None
        """What is being written right now."""
        self.observations: dict[Did, Observation] = {}
        self.crash_after: int | None = None
        """So many files are still written before the kill."""
        self.fail_after: int | None = None
        """So many files are still written before a write fails."""
        self.recoveries = ()
        self._settled = True
        self._by_did: dict[Did, Node | Tombstone] = {}

    def open(self) -> None:
        """Read what is on the disk, repair it and write the repair."""
        self._read()
        if self.membership is not self.stored:
            self._write(self.membership, Order.NODES_FIRST)
        self._settled = True

    def node(self, did: Did) -> Node | None:
        entry = self._by_did.get(did)
        return entry if isinstance(entry, Node) else None

    def is_removed(self, did: Did) -> bool:
        return isinstance(self._by_did.get(did), Tombstone)

    def is_awaited(self, did: Did) -> bool:
        return did in news.awaiting(self.membership.invites)

    async def transact(self, decide: Decide[T]) -> tuple[Decision[T], bool]:
        await Wait()
        if not self._settled:
            self.open()  # after a write that failed, before anything rests on what is in memory
        decision = decide(self.membership)
        if decision.membership is self.membership:
            return decision, False
        self.candidate = decision.membership
        try:
            self._write(decision.membership, decision.order)
        except WriteFailed:
            self._settled = False
            self._read()
            raise
        finally:
            if self.crash_after is None or self.crash_after > 0:
                self.candidate = None
        return decision, True

    def observe(self, observation: Observation) -> None:
        self.observations[observation.did] = observation

    def forget(self, did: Did) -> None:
        self.observations.pop(did, None)

    def _read(self) -> None:
        self.stored = Membership(self.nodes_on_disk, self.invites_on_disk)
        self._adopt(repair.repair(self.stored))

    def _adopt(self, membership: Membership) -> None:
        self.membership = membership
        entries: tuple[Node | Tombstone, ...] = (*membership.nodes.nodes, *membership.nodes.removed)
        self._by_did = {entry.did: entry for entry in entries}

    def _write(self, new: Membership, order: Order) -> None:
        for file in written(self.stored, new, order):
            self._spend()
            if file is File.NODES:
                self.nodes_on_disk = new.nodes
            else:
                self.invites_on_disk = new.invites
        self.stored = new
        self._adopt(new)

    def _spend(self) -> None:
        if self.crash_after is not None:
            if self.crash_after == 0:
                raise Crash
            self.crash_after -= 1
        if self.fail_after is not None:
            self.fail_after -= 1
            if self.fail_after < 0:
                self.fail_after = None
                raise WriteFailed("No space left on device")

    def through_disk(self) -> None:
        """What is on the disk, as its bytes say."""
        self.nodes_on_disk = nodesfile.decode(nodesfile.encode(self.nodes_on_disk))
        self.invites_on_disk = invitesfile.decode(invitesfile.encode(self.invites_on_disk))


class ModelClock:
    """The world's time, with this home's own idea of it."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.skew = 0

    def wall(self) -> float:
        return float(START + self._world.time + self.skew)

    def boot(self) -> float:
        return float(self._world.time)

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing sleeps in the model")


class ModelHome:
    """One node: the real `Federation` and `Exchange` over a simulated disk."""

    def __init__(self, world: Any, number: int) -> None:
        self.world = world
        self.number = number
        self.key = key(number)
        self.did = self.key.did
        self.onion = onion(number)
        self.clock = ModelClock(world)
        self.store = ModelStore()
        self.up = True
        self.tasks: list[ModelTask] = []
        self.crashed_in: Any = None
        self.saved: tuple[NodesFile, InvitesFile] | None = None
        self._counter = itertools.count()
        self._state = self._sign_state()
        self.federation: Federation
        self.exchange: Exchange
        self.boot()

    def boot(self) -> None:
        """Start over what the disk holds; raises Crash."""
        store = cast(FederationStore, self.store)
        hooks = Hooks(cut=self.cut)
        self.federation = Federation(
            store, self.key, self.onion, f"home{self.number}", self.clock, self._random, Tasks(), None, hooks
        )
        caller = ModelCaller(self)
        apply = self.federation._apply
        self.exchange = Exchange(store, self.key, self.onion, None, self.clock, caller, apply, hooks)
        self.store.open()

    def now(self) -> int:
        return int(self.clock.wall())

    def member(self, other: ModelHome) -> Node | None:
        return self.store.membership.nodes.find(other.did)

    def cut(self, did: Did) -> None:
        """End what is under way with this peer, as the agent's hook does."""
        for task in [task for task in self.tasks if task.peer == did]:
            if task.waits is not None and task.waits.call is not None:
                task.waits.call.task = None
                self.world.advance(task, PeerUnreachable("cut"))
            else:
                task.dropped = True

    def die(self) -> None:
        """A kill: every coroutine is gone."""
        for task in self.tasks:
            if task.waits is not None and task.waits.call is not None:
                task.waits.call.task = None
            task.work.close()
        self.tasks = []
        self.up = False

    async def sweep(self) -> None:
        """The housekeeping of the agent."""
        await self.federation._apply(lambda m: Decision(inviting.sweep(m, self.now()), None))

    async def take_tokenless(self, join: TokenlessJoin) -> None:
        """What the endpoint does with a join without a token."""
        if self.federation.awaits_tokenless():
            await self.federation.joined_without_token(join)

    def state(self, have: Have | None) -> StateAnswer:
        known = have is not None and have.seq == self._state.seq
        return Unchanged() if known else self._state

    def _sign_state(self) -> FullState:
        state = FullState(
            epoch=bytes([self.number]) * 8,
            started=START,
            seq=1,
            ts=0,
            snapshot=Snapshot(node_name=f"home{self.number}"),
            signature=b"",
        )
        message = state_signing_input(self.did.public_key, state)
        return FullState(
            epoch=state.epoch,
            started=START,
            seq=1,
            ts=0,
            snapshot=state.snapshot,
            signature=self.key.sign(message),
        )

    def _random(self, size: int) -> bytes:
        return hashlib.shake_128(f"{self.number}/{next(self._counter)}".encode()).digest(size)


class ModelCaller:
    """`PeerCaller`: every call waits until the driver lets an answer, or none, come."""

    def __init__(self, home: ModelHome) -> None:
        self._home = home

    async def get_state(self, node: Node, have: Have | None, within: float = 0) -> Reply[StateAnswer]:
        call = Call(self._home, node.onion, GET_STATE, TrustLevel.OBSERVER, have=have)
        return Reply(await Wait(call), 0.1, 0)

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> Reply[JoinReply]:
        return Reply(await Wait(Call(self._home, onion, PEER_JOINED, None, params)), 0.1, 0)


@dataclass(slots=True)
class Answer:
    """What a request came to, on its way back; a result or an error to raise at the caller."""

    call: Call
    result: object = None
    error: EnigmaError | None = None


async def serve(home: ModelHome, call: Call) -> object:
    """What the gate and the endpoint do with a signed request; raises what the caller gets to know."""
    door, caller = home.federation, call.caller.did
    standing = door.standing(caller)
    examine(door, standing, caller, call.params)
    try:
        if standing is Standing.MEMBER:
            await door.admit(caller, call.method, call.trust)
        if call.params is not None:
            return await door.joined(caller, call.params)
    except RpcError as error:
        raise RefusedByPeer(error.code) from None
    except UnsignedReply:
        raise
    except EnigmaError:
        raise RefusedByPeer("internal") from None
    home.world.judge.served(home, call)
    return home.state(call.have)
