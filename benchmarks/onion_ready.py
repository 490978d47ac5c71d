"""From RELOAD with a fresh key on a bootstrapped tor to the first GET from outside.

The floor is a raw `ADD_ONION` on a plain tor of the same network and a GET by the same fetching tor.
Both onions lead to the same bare aiohttp server (ours behind the listener that eats tor's first line).
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from aiohttp import web

from benchmarks.report import Comparison
from enigma_fed.base.clock import SystemClock
from enigma_fed.base.errors import PeerUnreachable
from enigma_fed.base.ids import OnionAddress
from enigma_fed.base.tasks import Tasks
from enigma_fed.demo.network import PrivateTorNetwork
from enigma_fed.demo.torprocess import PlainTor
from enigma_fed.transports.tor.binary import TorBinary
from enigma_fed.transports.tor.folders import OnionService
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.proxyline import OnionListener
from enigma_fed.transports.tor.service import ManagedTor, TorSettings
from enigma_fed.transports.tor.session import onion_session
from enigma_fed.transports.tor.supervision import TorNeeds

_PAIRS = 24
_SECONDS_PER_TRY = 60.0


async def run(network: PrivateTorNetwork, binary: TorBinary, folder: Path) -> Comparison:
    """Measure _PAIRS interleaved pairs on a running network; `folder` is empty and has a short path."""
    async with AsyncExitStack() as stack:
        runner = web.ServerRunner(web.Server(_hello))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        plain_socket, our_socket = folder / "plain.sock", folder / "ours.sock"
        await web.UnixSite(runner, str(plain_socket)).start()
        assert runner.server is not None
        listener = OnionListener(runner.server, our_socket)
        await listener.start()
        stack.push_async_callback(listener.close)

        lines = network.client_torrc.splitlines()
        fetching = await _plain_tor(stack, binary, folder / "fetching", [*lines, "SocksPort auto"])
        raw = await _plain_tor(stack, binary, folder / "raw", [*lines, "SocksPort 0"])
        managed = await _managed_tor(stack, network, binary, folder, our_socket)
        socks = await fetching.socks()
        session = onion_session(lambda: socks, isolation_key=os.urandom(16))
        stack.push_async_callback(session.close)

        async def ours() -> OnionAddress:
            key = OnionKey(os.urandom(32))
            await managed.reload([OnionService("bench", key, ((80, our_socket),))])
            return key.address

        async def floor() -> OnionAddress:
            reply = await raw.ask(f"ADD_ONION NEW:ED25519-V3 Flags=DiscardPK Port=80,unix:{plain_socket}")
            label = next(line for line in reply if line.startswith("ServiceID=")).partition("=")[2]
            return OnionAddress.parse(f"{label}.onion")

        samples: dict[str, list[float]] = {"ours": [], "floor": []}
        for number in range(_PAIRS):
            turns = (("ours", ours), ("floor", floor))
            for name, publish in turns if number % 2 else reversed(turns):
                samples[name].append(await _seconds_until_reached(session, publish))
    return Comparison(
        name="onion ready: RELOAD with a fresh key to the first GET",
        ours=tuple(samples["ours"]),
        floor=tuple(samples["floor"]),
        floor_name="raw ADD_ONION + GET",
        unit="s",
        target=1.15,
    )


async def _hello(_request: web.BaseRequest) -> web.Response:
    return web.Response(text="hello")


async def _plain_tor(stack: AsyncExitStack, binary: TorBinary, folder: Path, lines: list[str]) -> PlainTor:
    tor = PlainTor(binary, folder, lines)
    stack.push_async_callback(tor.stop)
    await tor.start()
    await tor.wait_bootstrapped()
    return tor


async def _managed_tor(
    stack: AsyncExitStack, network: PrivateTorNetwork, binary: TorBinary, folder: Path, socket: Path
) -> ManagedTor:
    extra = folder / "extra.torrc"
    extra.write_text(network.client_torrc, encoding="utf-8")
    tasks = Tasks()
    managed = ManagedTor(
        TorSettings(
            data_dir=folder / "managed",
            runtime_dir=folder,
            listener_socket=socket,
            binary=binary,
            torrc_extra=extra,
        ),
        OnionKey(os.urandom(32)),
        TorNeeds(tasks, SystemClock(), _always, on_change=lambda _status: None),
    )
    stack.push_async_callback(tasks.close)
    stack.push_async_callback(managed.close)
    await managed.start()
    await managed.wait_ready()
    return managed


async def _always() -> bool:
    return True


async def _seconds_until_reached(
    session: aiohttp.ClientSession, publish: Callable[[], Awaitable[OnionAddress]]
) -> float:
    started = time.perf_counter()
    onion = await publish()
    while time.perf_counter() - started < _SECONDS_PER_TRY:
        try:
            async with session.get(f"http://{onion}/") as response:
                await response.read()
                return time.perf_counter() - started
        except (PeerUnreachable, aiohttp.ClientError):
            continue
    raise TimeoutError(f"{onion.short} was not reached")
