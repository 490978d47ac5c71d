"""Small homes over real tor: a web page behind an onion, in each mode, and visitors from another tor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp
from aiohttp import web

from enigma_fed.base.clock import SystemClock
from enigma_fed.base.errors import PeerUnreachable
from enigma_fed.base.tasks import Tasks
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.proxyline import CIRCUIT_ID, OnionListener
from enigma_fed.transports.tor.service import ManagedTor, TorSettings
from enigma_fed.transports.tor.session import onion_session, renew_circuit
from enigma_fed.transports.tor.socksmode import SocksSettings, SocksTor
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.transports.tor.supervision import SupervisedTor, TorNeeds
from enigma_fed.transports.tor.system import SystemSettings, SystemTor
from tests.support.tornet import TorNetwork

PAGE = "you said "


class Home:
    """A web page behind an onion; a subclass brings the tor and the listener."""

    tor: SupervisedTor
    port: int = 0

    def __init__(self, seed: bytes) -> None:
        self.key = OnionKey(seed)
        self.url = f"http://{self.key.address}/"
        self.tasks = Tasks()
        self.history: list[TorStatus] = []
        self.changed = asyncio.Event()
        self.circuits: list[int] = []
        application = web.Application()
        application.router.add_route("*", "/", self._answer)
        self.runner = web.AppRunner(application, access_log=None)
        self.needs = TorNeeds(self.tasks, SystemClock(), self._probe, self._changed)

    async def start(self) -> None:
        """Listen, then start tor or the connection to it."""
        self.session = onion_session(lambda: self.tor.socks, isolation_key=bytes(16))
        await self.runner.setup()
        await self._listen()
        await self.tor.start()

    async def close(self) -> None:
        """Stop everything."""
        await self.tor.close()
        await self.session.close()
        await self._stop_listening()
        await self.runner.cleanup()
        await self.tasks.close()

    async def _listen(self) -> None:
        """A loopback port, which `target` names."""
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def _stop_listening(self) -> None:
        """The runner does."""

    def target(self) -> Endpoint:
        """Where the page is on loopback."""
        return Endpoint(*self.runner.addresses[0][:2])

    async def _answer(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        self.circuits.append(request.transport.get_extra_info(CIRCUIT_ID))
        return web.Response(body=PAGE.encode() + await request.read())

    async def _probe(self) -> bool:
        renew_circuit(self.session, self.key.address)
        async with self.session.get(self.url, headers={"Connection": "close"}) as response:
            return response.status == 200

    async def reaches(self, phase: TorPhase, seconds: float = 60.0) -> TorStatus:
        """Wait for a phase."""
        return await self.sees(lambda status: status.phase is phase, seconds)

    async def says(self, reason: str, seconds: float = 60.0) -> TorStatus:
        """Wait for a reason."""
        return await self.sees(lambda status: reason in status.reason, seconds)

    async def sees(self, condition: Callable[[TorStatus], bool], seconds: float = 60.0) -> TorStatus:
        """Wait for a status."""
        async with asyncio.timeout(seconds):
            while not condition(self.tor.status):
                self.changed.clear()
                await self.changed.wait()
        return self.tor.status

    def _changed(self, status: TorStatus) -> None:
        self.history.append(status)
        self.changed.set()


class ManagedHome(Home):
    """Behind a managed tor."""

    def __init__(self, folder: Path, network: TorNetwork, seed: bytes) -> None:
        super().__init__(seed)
        self.socket = folder / "run" / "onion.sock"
        self.settings = TorSettings(
            data_dir=folder / "tor",
            runtime_dir=folder / "run",
            listener_socket=self.socket,
            binary=network.binary,
            torrc_extra=network.extra_file(folder),
        )
        self.tor: ManagedTor = ManagedTor(self.settings, self.key, self.needs)

    async def _listen(self) -> None:
        self.socket.parent.mkdir(mode=0o700)
        assert self.runner.server is not None
        self.listener = OnionListener(self.runner.server, self.socket)
        await self.listener.start()

    async def _stop_listening(self) -> None:
        await self.listener.close()


class SystemHome(Home):
    """Behind a tor that is not its own."""

    def __init__(self, access: ControlAccess, seed: bytes) -> None:
        super().__init__(seed)
        self.tor: SystemTor = SystemTor(SystemSettings((access,), self.target), self.key, self.needs)


class SocksHome(Home):
    """With a SOCKS port, and an onion that somebody else keeps up."""

    def __init__(self, socks: Endpoint, seed: bytes, port: int) -> None:
        super().__init__(seed)
        self.port = port
        self.tor: SocksTor = SocksTor(SocksSettings(socks), self.key.address, self.needs)


async def patiently(session: aiohttp.ClientSession, url: str, seconds: float = 60.0) -> str:
    """The text at `url`; tries again while Tor says that it is not reachable."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                async with session.get(url, timeout=aiohttp.ClientTimeout(total=20)) as response:
                    return await response.text()
            except (PeerUnreachable, aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(0.2)
