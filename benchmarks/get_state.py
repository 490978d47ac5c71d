"""get-state over Tor against a bare aiohttp reply of the same bytes, by the same onion and SOCKS user.

The bare server sits on a second virtual port of the agent's own onion, so both travel the same
circuit; requests alternate. The agent signs its replies, the caller checks them.
"""

from __future__ import annotations

import os
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from aiohttp import web

from benchmarks.report import Comparison
from enigma_fed.base.clock import SystemClock
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.identity.files import load
from enigma_fed.rpc.client import RpcClient, SigningRequest
from enigma_fed.transports.tor.proxyline import OnionListener
from enigma_fed.transports.tor.session import SocksEndpoint, onion_session
from enigma_fed.wire.state import FullState, GetStateParams, full_state_from_object

BARE_PORT: Final = 81
_PAIRS: Final = 320
_WARM_UP: Final = 5


class BareServer:
    """Answers each POST with the same bytes, behind the listener that eats tor's first line."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.body = b"{}"
        self.headers = {"Content-Type": "application/json"}
        self._stack = AsyncExitStack()

    @property
    def torrc_line(self) -> str:
        """Publishes the server on a port of the onion whose lines stand before."""
        return f'HiddenServicePort {BARE_PORT} unix:"{self.socket}"\n'

    async def start(self) -> None:
        """Listen."""
        runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        assert runner.server is not None
        listener = OnionListener(runner.server, self.socket)
        await listener.start()
        self._stack.push_async_callback(listener.close)

    async def close(self) -> None:
        """Stop."""
        await self._stack.aclose()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(body=self.body, headers=self.headers)


async def run(caller_key: Path, did: str, onion: str, socks: SocksEndpoint, bare: BareServer) -> Comparison:
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
    request_size = 0

    async def ours() -> float:
        started = time.perf_counter()
        await client.call(did, onion, "federation.get-state", GetStateParams(have=None), _read_full)
        return (time.perf_counter() - started) * 1000

    async def floor() -> float:
        started = time.perf_counter()
        async with session.post(f"http://{onion}:{BARE_PORT}/rpc/v1", data=b"x" * request_size) as response:
            await response.read()
        return (time.perf_counter() - started) * 1000

    reply = await client.call(did, onion, "federation.get-state", GetStateParams(have=None), lambda o: o)
    bare.body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "result": reply.result})
    request_size = len(b'{"jsonrpc":"2.0","id":1,"method":"federation.get-state","params":{"have":null}}')
    bare.headers |= _HEADERS_OF_A_SIGNED_REPLY
    samples: dict[str, list[float]] = {"ours": [], "floor": []}
    for number in range(_WARM_UP + _PAIRS):
        turns = (("ours", ours), ("floor", floor))
        for name, call in turns if number % 2 else reversed(turns):
            milliseconds = await call()
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


# The floor carries as many header bytes as a signed reply does; their content does not matter.
_HEADERS_OF_A_SIGNED_REPLY: Final = {
    "Content-Digest": "sha-256=:" + "x" * 44 + ":",
    "Signature-Input": "fed=" + "x" * 230,
    "Signature": "fed=:" + "x" * 88 + ":",
}
