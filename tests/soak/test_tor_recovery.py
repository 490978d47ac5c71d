"""How long a home is gone when its tor dies, hangs or is cut off, in each mode: figures over many rounds.

`ENIGMA_FED_SOAK_TOR_ROUNDS` sets the rounds of each.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from enigma_fed.demo.torprocess import PlainTor
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.session import onion_session
from enigma_fed.transports.tor.status import TorPhase
from tests.support.torhomes import PAGE, Home, ManagedHome, SystemHome, patiently
from tests.support.tornet import TorNetwork

ROUNDS = int(os.environ.get("ENIGMA_FED_SOAK_TOR_ROUNDS", "20"))
ROUND_SECONDS = 180

pytestmark = [
    pytest.mark.tor,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120 + ROUNDS * ROUND_SECONDS),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def visitor(
    tor_network: TorNetwork, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PlainTor]:
    """Another home's tor."""
    tor = tor_network.plain_client(tmp_path_factory.mktemp("visitor"))
    await tor.start()
    await tor.wait_bootstrapped()
    yield tor
    await tor.stop()


async def measure(what: str, home: Home, visitor: PlainTor, harm: Callable[[], Awaitable[None]]) -> None:
    """Do harm again and again; how long until the home says that it is ready, and until a visitor gets in."""
    ready, reached, gaps = [], [], []
    endpoint = await visitor.socks()
    for _ in range(ROUNDS):
        async with asyncio.timeout(ROUND_SECONDS):
            await home.tor.wait_ready()
            restarts = home.tor.status.restarts
            begun = time.monotonic()
            gap = asyncio.create_task(largest_gap())
            await harm()
            await home.sees(lambda status, before=restarts: status.restarts > before, ROUND_SECONDS)
            await home.reaches(TorPhase.READY, ROUND_SECONDS)
            ready.append(time.monotonic() - begun)
            async with onion_session(lambda: endpoint, isolation_key=os.urandom(16)) as session:
                assert await patiently(session, home.url, ROUND_SECONDS) == PAGE
            reached.append(time.monotonic() - begun)
            gap.cancel()
            gaps.append(await gap)
    for name, seconds in (("ready", ready), ("reached by a visitor", reached)):
        print(
            f"\n{what}: {name} after p50 {statistics.median(seconds):.1f} s, most {max(seconds):.1f} s "
            f"({ROUNDS} of {ROUNDS} rounds)",
            end="",
        )
    print(f"; largest gap of the loop {1000 * max(gaps):.0f} ms")


async def largest_gap() -> float:
    """The largest pause of the loop in seconds, until cancelled."""
    largest, last = 0.0, time.monotonic()
    try:
        while True:
            await asyncio.sleep(0.001)
            now = time.monotonic()
            largest, last = max(largest, now - last), now
    except asyncio.CancelledError:
        return largest


async def test_managed_kill(tor_network: TorNetwork, visitor: PlainTor, tmp_path: Path) -> None:
    home = ManagedHome(tmp_path, tor_network, b"\x31" * 32)
    await home.start()

    async def kill() -> None:
        assert home.tor.status.pid is not None
        os.kill(home.tor.status.pid, signal.SIGKILL)

    await measure("managed, kill -9 of tor", home, visitor, kill)
    await home.close()


async def test_managed_hang(tor_network: TorNetwork, visitor: PlainTor, tmp_path: Path) -> None:
    home = ManagedHome(tmp_path, tor_network, b"\x32" * 32)
    await home.start()

    async def stop() -> None:
        assert home.tor.status.pid is not None
        os.kill(home.tor.status.pid, signal.SIGSTOP)

    await measure("managed, tor hangs (SIGSTOP)", home, visitor, stop)
    await home.close()


async def test_system_restart(tor_network: TorNetwork, visitor: PlainTor, tmp_path: Path) -> None:
    machine = tor_network.plain_client(tmp_path / "tor")
    await machine.start()
    await machine.wait_bootstrapped()
    home = SystemHome(ControlAccess(Endpoint.unix(str(machine.folder / "control"))), b"\x33" * 32)
    await home.start()

    async def restart() -> None:
        assert machine.pid is not None
        os.kill(machine.pid, signal.SIGKILL)
        await machine.stop()
        await machine.start()

    await measure("system, kill -9 of tor and its restart", home, visitor, restart)

    async def cut() -> None:
        link = home.tor._link
        assert link is not None
        await link.close()

    await measure("system, control connection cut", home, visitor, cut)
    await home.close()
    await machine.stop()
