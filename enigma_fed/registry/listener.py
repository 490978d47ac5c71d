"""One listener of a registry: bounded connections, each with the client that it came from (invariant 7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import InputRefused, InternalFault
from enigma_fed.registry.clientaddress import ClientKey, Network, client_of, parse_address
from enigma_fed.registry.doors import Door
from enigma_fed.rpc.connections import BoundedConnection, BoundedServer
from enigma_fed.rpc.httpreply import SERVER_NAME
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.wire import httpsig
from enigma_fed.wire import registryreplies as replies

_FORWARDED: Final = "X-Forwarded-For"
_SERVER_ERROR: Final = 500
JSON: Final = "application/json"


class RegistryConnection(BoundedConnection):
    """A connection that knows whose it is."""

    __slots__ = ("client", "peer")

    client: ClientKey | None
    """Whose it is; None: a proxy's, and each request says whose."""
    peer: str
    """The address at its other end; empty where there is none."""


class RegistryListener(BoundedServer):
    """aiohttp's low-level server for one listener; itself the factory of its connections' protocols."""

    def __init__(
        self,
        handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        note: Callable[[str], None],
        now: Callable[[], float],
        door: Door,
        trusted: Callable[[], Sequence[Network]],
    ) -> None:
        """`now` tells seconds on the boot clock; `trusted` whose word on the client is taken."""
        few = registry_limits.CONNECTIONS_PER_CLIENT if door is Door.TCP else None
        super().__init__(handle, note, Traffic(now), registry_limits.CONNECTIONS, few)
        self._door = door
        self._trusted = trusted

    def __call__(self) -> RequestHandler:
        """The protocol of a new connection."""
        return RegistryConnection(self, loop=self._loop, **self._kwargs)

    def origin(self, connection: BoundedConnection) -> Hashable:
        """Whose connections are few: a circuit's or an address', but not a proxy's or this machine's own."""
        assert isinstance(connection, RegistryConnection)
        connection.peer = ""
        if self._door is Door.ONION:
            connection.client = ClientKey.shared()
            return None
        if connection.circuit is not None:
            connection.client = ClientKey.circuit(connection.circuit)
            return connection.circuit
        transport = connection.transport
        named = transport.get_extra_info("peername") if transport is not None else None
        if isinstance(named, tuple):
            connection.peer = str(named[0])
        address = parse_address(connection.peer)
        if address is not None and any(address in network for network in self._trusted()):
            connection.client = None
            return None
        connection.client = client_of(connection.peer, (), ())
        return None if address is None or address.is_loopback else connection.client

    def client(self, request: web.BaseRequest) -> ClientKey:
        """Whose request it is."""
        connection = request.protocol
        assert isinstance(connection, RegistryConnection)
        if connection.client is not None:
            return connection.client
        return client_of(connection.peer, request.headers.getall(_FORWARDED, ()), self._trusted())

    def answer_broken(self, status: int) -> web.Response:
        """The error object for whoever sends no HTTP or meets an error of this program."""
        error = InternalFault() if status >= _SERVER_ERROR else InputRefused("request")
        headers = {httpsig.CONTENT_TYPE: JSON, "Server": SERVER_NAME}
        return web.Response(status=error.http_status, body=replies.error(error), headers=headers)
