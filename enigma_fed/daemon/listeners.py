"""Where the agent's RPC listens: a loopback port, and the Unix socket behind the onion."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.base.errors import OperationFailed, PortInUse
from enigma_fed.config import parse_listen
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.proxyline import OnionListener

_NEVER_EMPTY: Final = frozenset({"tor.listen", "registry.onion_listen"})
"""Settings whose listener cannot be done without."""


@dataclass(frozen=True, slots=True)
class OnionPort:
    """A loopback port behind the onion of a tor that is not ours: no Unix socket of ours is open to it."""

    listen: str
    """`ADDR:PORT`."""
    fixed: bool
    """Whether that tor's torrc names the port; otherwise a free one does as well."""
    option: str = "tor.listen"
    """The setting that names it."""

    def bind(self) -> socket.socket:
        """The listening socket; raises PortInUse, OperationFailed."""
        host, port = parse_listen(self.listen)
        try:
            return bind_loopback(host, port, option=self.option)
        except PortInUse:
            if self.fixed:
                raise
            return bind_loopback(host, 0, option=self.option)


OnionDoor: TypeAlias = Path | OnionPort
"""What stands behind the onion: the Unix socket of our own tor, or a port."""


class Listeners:
    """The RPC endpoint on its listeners; each has a bound of connections of its own.

    Whoever fills the onion's leaves the loopback port free, and the other way round.
    """

    def __init__(self, endpoint: RpcEndpoint, listen: str, onion: OnionDoor | None) -> None:
        """`listen` is `ADDR:PORT` or empty; `onion` is None without Tor."""
        server, onion_server = endpoint.server(), endpoint.server()
        self._runner = web.ServerRunner(server, shutdown_timeout=limits.DRAIN_TIMEOUT)
        self._onion_runner = web.ServerRunner(onion_server, shutdown_timeout=limits.DRAIN_TIMEOUT)
        self.places = {"loopback": server.places, "onion": onion_server.places}
        """The connections of each listener."""
        self._listen = listen
        self._onion = OnionListener(onion_server, onion) if isinstance(onion, Path) else None
        self._onion_port = onion if isinstance(onion, OnionPort) else None
        self.address: str | None = None
        """Where the loopback listener really is, once started."""
        self.onion_address = Endpoint("", 0)
        """Where an OnionPort really is, once started."""

    async def start(self) -> None:
        """Listen; raises PortInUse, OperationFailed."""
        raise_file_limit()
        await self._runner.setup()
        await self._onion_runner.setup()
        if self._listen:
            listening = bind_loopback(*parse_listen(self._listen))
            self.address = shown_address(listening)
            await web.SockSite(self._runner, listening).start()
        if self._onion is not None:
            await self._onion.start()
        if self._onion_port is not None:
            listening = self._onion_port.bind()
            self.onion_address = Endpoint(*listening.getsockname()[:2])
            await web.SockSite(self._onion_runner, listening).start()

    async def close(self) -> None:
        """Take no more connections, let answers under way end, close everything."""
        if self._onion is not None:
            await self._onion.close()
        await asyncio.gather(self._runner.cleanup(), self._onion_runner.cleanup())


def raise_file_limit() -> None:
    """Let this process open as many files as the system allows it: every connection is one (limits.py)."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def bind_loopback(host: str, port: int, option: str = "rpc.listen") -> socket.socket:
    """A bound TCP socket; raises PortInUse naming the address and the setting, OperationFailed."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # Listening already here: two agents that start at once must not both think the port is theirs.
        listening.listen()
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            none = "" if option in _NEVER_EMPTY else " (empty for none)"
            variable = f"ENIGMA_FED_{option.upper().replace('.', '__')}"
            hint = f"Stop the other program, or set {option} ({variable}) to another port{none}."
            raise PortInUse(shown, hint=hint) from None
        raise OperationFailed(f"cannot listen on {shown}: {error.strerror}") from None
    return listening


def shown_address(listening: socket.socket) -> str:
    """Where a TCP socket listens, as `ADDR:PORT`."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
