"""What answers get-state in benchmarks, each a process of its own on a loopback port.

`python -m benchmarks.stateservers KIND FOLDER` prints its port and serves until its standard input ends:

- `ours`: the real gate, federation, state service and signed replies, as in the agent.
- `per-request`: the same, but for each answer the full state is hashed, signed and written as JSON anew.
- `floor`: bare aiohttp, which reads the request and sends bytes, neither looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from enigma_fed.base.clock import SystemClock
from enigma_fed.base.ids import OnionAddress
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.decision import Decision
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.methods import Caller, Method, MethodTable, Result
from enigma_fed.state.methods import get_state_method
from enigma_fed.state.results import StateResult
from enigma_fed.state.sampler import Sampler
from enigma_fed.state.service import StateService
from enigma_fed.wire.records import Membership, Node, NodesFile, Role, Stage, TrustLevel
from enigma_fed.wire.snapshot import App
from enigma_fed.wire.state import GetStateParams, state_signing_input

CALLERS: Final = 64
"""Members; each has a connection and a share of the nonces of its own."""
EPOCH: Final = b"measured"
APPS: Final = tuple(
    App(
        id=f"org.example.household.app-{number:02}",
        status=f"running, healthy, restarted {number} times, updated on 2026-11-{number + 1:02} at 03:00",
        version=f"1.{number}.3@sha256:{hashlib.sha256(bytes([number])).hexdigest()}",
    )
    for number in range(30)
)
_PAST_THE_START: Final = 200.0
"""Seconds by which the server's clock jumps once it serves: new callers are no longer challenged."""
_FLOOR_HEADERS: Final = {
    "Content-Type": "application/cbor",
    "Content-Digest": "sha-256=:" + "x" * 44 + ":",
    "Signature-Input": "fed=" + "x" * 230,
    "Signature": "fed=:" + "x" * 88 + ":",
}


def seeded_key(name: str) -> NodeKey:
    """A node key that is the same in every process."""
    return NodeKey.generate(hashlib.sha256(name.encode()).digest())


SERVER: Final = "server"


class _Clock(SystemClock):
    def __init__(self) -> None:
        self.ahead = 0.0

    def boot(self) -> float:
        return super().boot() + self.ahead


def _per_request(key: NodeKey, service: StateService) -> Method:
    """As if each answer had a state of its own: hashed and signed for it, and written as JSON."""

    async def answer(caller: Caller, params: GetStateParams) -> Result:
        state = await service.current()
        message = state_signing_input(key.did.public_key, state)
        return StateResult(msgspec.structs.replace(state, signature=key.sign(message)))

    return Method("federation.get-state", GetStateParams, answer, TrustLevel.OBSERVER, open_to_self=True)


async def _federation(folder: Path, key: NodeKey, clock: _Clock, tasks: Tasks) -> Federation:
    FederationStore.create(folder)
    store = FederationStore(folder)
    store.open()
    now = int(clock.wall())
    nodes = tuple(
        Node(
            did=seeded_key(f"caller {number}").did,
            onion=OnionAddress(seeded_key(f"onion {number}").did.public_key),
            trust_level=TrustLevel.OBSERVER,
            added_at=now,
            stage=Stage.CONFIRMED,
            stage_at=now,
            joined_as=Role.INVITER,
            joined_with=(bytes([number]) * 32,),
        )
        for number in range(CALLERS)
    )
    await store.transact(lambda _: Decision(Membership(NodesFile(nodes=nodes)), None))
    onion = OnionAddress(seeded_key("onion").did.public_key)
    return Federation(store, key, onion, "measured", clock, os.urandom, tasks, None, Hooks())


async def _change_every_second(service: StateService, clock: _Clock) -> None:
    """As many numbers as a node has at most: deltas and full states are made anew for each."""
    while True:
        await clock.sleep(1)
        service.changed()


async def _endpoint(kind: str, folder: Path, tasks: Tasks) -> web.ServerRunner:
    key, clock = seeded_key(SERVER), _Clock()
    federation = await _federation(folder, key, clock, tasks)
    service = StateService(
        key,
        clock,
        EPOCH,
        Sampler(folder, "measured", clock),
        lambda: int(clock.wall()) % 2 == 0,
        tasks,
        lambda: APPS,
    )
    method = get_state_method(service) if kind == "ours" else _per_request(key, service)
    endpoint = RpcEndpoint(key, MethodTable((method,)), federation, clock, os.urandom)
    clock.ahead = _PAST_THE_START
    await service.current()
    tasks.start("changes", _change_every_second(service, clock))
    return endpoint.runner()


def _floor() -> web.ServerRunner:
    body = b"x" * 180  # as many as a reply with a delta has

    async def answer(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(body=body, headers=_FLOOR_HEADERS)

    return web.ServerRunner(web.Server(answer, access_log=None))


async def _serve(kind: str, folder: Path) -> None:
    tasks = Tasks()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(tasks.close)
        runner = _floor() if kind == "floor" else await _endpoint(kind, folder, tasks)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve until standard input ends."""
    try:
        import uvloop

        make_loop = uvloop.new_event_loop
    except ImportError:
        make_loop = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(_serve(sys.argv[1], Path(sys.argv[2])))


if __name__ == "__main__":
    main()
