"""What answers get-state in benchmarks, each a process of its own on a loopback port.

`python -m benchmarks.stateservers KIND APPS FOLDER` prints its port and serves until its standard input ends.
KIND is one of:

- `ours`: the real gate, federation, state service and signed replies, as in the agent.
- `json`: the same gate and signed replies, but each answer has the full state: its snapshot taken, written as
  canonical JSON by the standard library, once, and that signed.
- `json-fast`: likewise, with what the agent has for it: a hash of CBOR is signed, msgspec writes the JSON.
- `floor`: bare aiohttp, which reads the request and sends bytes, neither looked at.

APPS is `short`, `long` or `reference`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType
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
from enigma_fed.rpc.methods import Caller, EncodedResult, Method, MethodTable, Result
from enigma_fed.state.methods import get_state_method
from enigma_fed.state.results import StateResult
from enigma_fed.state.sampler import Sampler
from enigma_fed.state.service import StateService
from enigma_fed.wire import base64url
from enigma_fed.wire.records import Membership, Node, NodesFile, Role, Stage, TrustLevel
from enigma_fed.wire.snapshot import App, snapshot_to_object, sorted_apps
from enigma_fed.wire.state import FullState, GetStateParams, state_signing_input

CALLERS: Final = 64
"""Members; each has a connection and a share of the nonces of its own."""
EPOCH: Final = b"measured"
SHORT: Final = tuple(App(id=f"app-{number:02}", status="running", version="1.2.3") for number in range(30))
APPS: Final = tuple(
    App(
        id=f"org.example.household.app-{number:02}",
        status=f"running, healthy, restarted {number} times, updated on 2026-11-{number + 1:02} at 03:00",
        version=f"1.{number}.3@sha256:{hashlib.sha256(bytes([number])).hexdigest()}",
    )
    for number in range(30)
)
REFERENCE: Final = tuple(
    App(
        id=f"{app.id}.replica-of-{hashlib.sha256(app.id.encode()).hexdigest()}",
        status=f"{app.status}, {len(app.status):>50} s ago",
        version=app.version,
    )
    for app in APPS
)
"""With these a state has 10.5 KB of JSON."""
_SETS: Final = MappingProxyType({"short": SHORT, "long": APPS, "reference": REFERENCE})
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


class _Written(EncodedResult):
    """A result that is JSON already."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def encoded(self, *, binary: bool) -> bytes:
        """The result object; nobody asks for CBOR here."""
        return self._text

    def to_object(self, *, binary: bool) -> dict[str, object]:
        """Never asked for."""
        raise NotImplementedError


Answer = Callable[[NodeKey, FullState], Result]


def _fast(key: NodeKey, state: FullState) -> Result:
    message = state_signing_input(key.did.public_key, state)
    return StateResult(msgspec.structs.replace(state, signature=key.sign(message)))


def _standard_library(key: NodeKey, state: FullState) -> Result:
    """The canonical text is written once: what is signed is what is sent."""
    members = {
        "epoch": state.epoch.hex(),
        "seq": state.seq,
        "ts": state.ts,
        "started": state.started,
        "state": snapshot_to_object(state.snapshot),
    }
    text = json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signature = base64url.encode(key.sign(text))
    return _Written(b'%b,"sig":"%b"}' % (text[:-1], signature.encode()))


def _per_request(key: NodeKey, service: StateService, apps: tuple[App, ...], write: Answer) -> Method:
    """As if each answer had a state of its own, of the last gauges: taken, signed and written for it."""

    async def answer(caller: Caller, params: GetStateParams) -> Result:
        state = await service.current()
        snapshot = msgspec.structs.replace(state.snapshot, apps=sorted_apps(apps))
        return write(key, msgspec.structs.replace(state, snapshot=snapshot))

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


async def _endpoint(kind: str, apps: tuple[App, ...], folder: Path, tasks: Tasks) -> web.ServerRunner:
    key, clock = seeded_key(SERVER), _Clock()
    federation = await _federation(folder, key, clock, tasks)
    service = StateService(
        key,
        clock,
        EPOCH,
        Sampler(folder, "measured", clock),
        lambda: int(clock.wall()) % 2 == 0,
        tasks,
        lambda: apps,
    )
    if kind == "ours":
        method = get_state_method(service)
    else:
        method = _per_request(key, service, apps, _fast if kind == "json-fast" else _standard_library)
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


async def _serve(kind: str, apps: tuple[App, ...], folder: Path) -> None:
    tasks = Tasks()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(tasks.close)
        runner = _floor() if kind == "floor" else await _endpoint(kind, apps, folder, tasks)
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
        runner.run(_serve(sys.argv[1], _SETS[sys.argv[2]], Path(sys.argv[3])))


if __name__ == "__main__":
    main()
