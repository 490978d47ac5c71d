"""get-state over Tor against a bare aiohttp reply of the same bytes, by the same onion and SOCKS user.

The bare server, a process of its own, sits on a second virtual port of the agent's own onion, so both
travel the same circuit; requests alternate. The agent signs its replies, the caller checks them.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from benchmarks import bareserver
from benchmarks.bareserver import BareServer
from benchmarks.report import Comparison
from enigma_fed.base.clock import SystemClock
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.identity.files import load
from enigma_fed.rpc.client import RpcClient, SigningRequest
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.session import onion_session
from enigma_fed.wire.state import FullState, GetStateParams, full_state_from_object

_PAIRS: Final = 320
_WARM_UP: Final = 5
_PAUSE_SECONDS: Final = 0.05
"""Polls are never back to back; without a pause, delayed acknowledgements in Tor (40 ms) hide all else."""


async def run(caller_key: Path, did: str, onion: str, socks: Endpoint, bare: BareServer) -> Comparison:
    """Measure from this process, as the member whose node key lies at `caller_key`."""
    session = onion_session(lambda: socks, isolation_key=os.urandom(16), request_class=SigningRequest)
    try:
        client = RpcClient(load(caller_key), session, SystemClock(), os.urandom)
        return await _measure(client, session, Did.parse(did), OnionAddress.parse(onion), bare)
    finally:
        await session.close()


async def _measure(
    client: RpcClient, session: aiohttp.ClientSession, did: Did, onion: OnionAddress, bare: BareServer
) -> Comparison:
    url = f"http://{onion}:{bareserver.PORT}/rpc/v1"
    request_body = b'{"jsonrpc":"2.0","id":1,"method":"federation.get-state","params":{"have":null}}'

    async def ours() -> float:
        started = time.perf_counter()
        await client.call(did, onion, "federation.get-state", GetStateParams(have=None), _read_full)
        return (time.perf_counter() - started) * 1000

    async def floor() -> float:
        started = time.perf_counter()
        async with session.post(url, data=request_body, headers=_HEADERS_OF_A_SIGNED_REQUEST) as response:
            await response.read()
        return (time.perf_counter() - started) * 1000

    reply = await client.call(did, onion, "federation.get-state", GetStateParams(have=None), lambda o: o)
    await bare.start(msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "result": reply.result}))
    samples: dict[str, list[float]] = {"ours": [], "floor": []}
    for number in range(_WARM_UP + _PAIRS):
        turns = (("ours", ours), ("floor", floor))
        for name, call in turns if number % 2 else reversed(turns):
            milliseconds = await call()
            await asyncio.sleep(_PAUSE_SECONDS)
            if number >= _WARM_UP:
                samples[name].append(milliseconds)
    return Comparison(
        name="get-state over Tor, signed both ways",
        ours=tuple(samples["ours"]),
        floor=tuple(samples["floor"]),
        floor_name="bare aiohttp, same bytes, same SOCKS user",
        unit="ms",
        target=1.1,
    )


def _read_full(value: object) -> FullState:
    return full_state_from_object(value, binary=False)


# The floor carries as many header bytes as a signed request does; their content does not matter.
_HEADERS_OF_A_SIGNED_REQUEST: Final = {
    "Content-Type": "application/json",
    "Content-Digest": "sha-256=:" + "x" * 44 + ":",
    "Federation-Audience": "x" * 56,
    "Signature-Input": "fed=" + "x" * 330,
    "Signature": "fed=:" + "x" * 88 + ":",
}
