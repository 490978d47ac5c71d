"""Where strangers come in: a listener of its own for each service that joins, and the onion that leads there.

A service hands over a server, never an address: the listeners are made here, so that nothing of the agent
(RPC, admin, control) can be named as one by mistake. Their connections are counted apart from all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError
from enigma_fed.daemon.listeners import OnionPort
from enigma_fed.daemon.paths import Paths
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.proxyline import OnionListener
from enigma_fed.transports.tor.public import OnionEntry, PublicOnion
from enigma_fed.transports.tor.status import PublicStatus
from enigma_fed.wire.views import PublicOnionView


@dataclass(frozen=True, slots=True)
class StrangersSettings:
    """How a service is reached where the tor is not our own: it needs a loopback port then."""

    listen: str
    """`ADDR:PORT`."""
    option: str
    """The setting that it comes from, for errors."""


class _Service:
    """One service behind the onion."""

    def __init__(self, name: str, virtual_port: int, server: web.Server, door: Path | OnionPort) -> None:
        self.name = name
        self.virtual_port = virtual_port
        self._runner = web.ServerRunner(server, shutdown_timeout=limits.DRAIN_TIMEOUT)
        self._server = server
        self._door = door
        self._listener: OnionListener | None = None

    async def listen(self) -> Endpoint:
        """Listen for what comes through the onion; raises PortInUse, OperationFailed."""
        await self._runner.setup()
        if isinstance(self._door, Path):
            self._listener = OnionListener(self._server, self._door)
            await self._listener.start()
            return Endpoint.unix(str(self._door))
        listening = self._door.bind()
        await web.SockSite(self._runner, listening).start()
        return Endpoint(*listening.getsockname()[:2])

    async def close(self) -> None:
        """Take no more connections, let answers under way end."""
        if self._listener is not None:
            await self._listener.close()
        await self._runner.cleanup()


class StrangersDoor:
    """The services that strangers reach, each by a virtual port of the one onion for strangers."""

    def __init__(self, mode: TorMode, paths: Paths, key: OnionKey) -> None:
        self._mode = mode
        self._paths = paths
        self._key = key
        self._services: dict[int, tuple[_Service, Endpoint]] = {}

    @property
    def tells_circuits(self) -> bool:
        """Whether each connection carries its circuit's number: only a tor of our own tells."""
        return self._mode is TorMode.MANAGED

    @property
    def is_open(self) -> bool:
        """Whether there is a tor that could carry it."""
        return self._mode is not TorMode.OFF

    @property
    def address(self) -> str:
        """The onion's address."""
        return str(self._key.address)

    @property
    def ports(self) -> dict[str, int]:
        """The virtual port of each service that joined."""
        return {service.name: port for port, (service, _) in self._services.items()}

    @property
    def onion(self) -> PublicOnion | None:
        """What tor is to carry; None while no service has joined."""
        entries = tuple(OnionEntry(port, target) for port, (_, target) in sorted(self._services.items()))
        return PublicOnion(self._key, entries) if entries and self.is_open else None

    def view(self, status: PublicStatus) -> PublicOnionView | None:
        """What `status` tells of it; None while no service has joined."""
        if not self._services:
            return None
        return PublicOnionView(
            onion=self.address,
            ports=self.ports,
            targets={service.name: str(target) for service, target in self._services.values()},
            phase=status.phase.value,
            reason=status.reason if self.is_open else "Tor is switched off here",
            repairs=status.repairs,
            last_repair=status.last_repair,
        )

    async def join(
        self, name: str, virtual_port: int, server: web.Server, settings: StrangersSettings
    ) -> None:
        """Listen for a service; publish `onion` again afterwards.

        `server` is the service's own, and serves nothing else. Raises PortInUse, OperationFailed,
        ConfigError for a port that is taken.
        """
        if virtual_port in self._services:
            raise ConfigError(f"two services want port {virtual_port} of the onion for strangers")
        service = _Service(name, virtual_port, server, self._door(name, settings))
        try:
            target = await service.listen()
        except BaseException:
            await service.close()
            raise
        self._services[virtual_port] = (service, target)

    async def leave(self, virtual_port: int) -> None:
        """End a service's listener; publish `onion` again before."""
        found = self._services.pop(virtual_port, None)
        if found is not None:
            await found[0].close()

    async def close(self) -> None:
        """End every listener."""
        for port in tuple(self._services):
            await self.leave(port)

    def _door(self, name: str, settings: StrangersSettings) -> Path | OnionPort:
        if self.tells_circuits:
            return self._paths.public_socket(name)
        return OnionPort(settings.listen, fixed=self._mode is TorMode.SOCKS, option=settings.option)
