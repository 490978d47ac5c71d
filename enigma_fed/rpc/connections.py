"""Who is being served on which connection: bounds, and cutting a peer off (invariants 6 and 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from enigma_fed.base import limits


class Connections:
    """Handlers in flight by public key, and the connections that each member's key used."""

    def __init__(self) -> None:
        self.active = 0
        """Handlers in flight."""
        self._running: dict[bytes, set[asyncio.Task[object]]] = {}
        self._used_by: dict[RequestHandler, set[bytes]] = {}

    @contextmanager
    def serving(self, public_key: bytes, connection: RequestHandler | None) -> Iterator[None]:
        """Note that the current task serves this key; `connection` is remembered as used by it."""
        task = asyncio.current_task()
        assert task is not None
        if connection is not None:
            self._remember(connection, public_key)
        tasks = self._running.setdefault(public_key, set())
        tasks.add(task)
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
            tasks.discard(task)
            if not tasks and self._running.get(public_key) is tasks:
                del self._running[public_key]

    def cut(self, public_key: bytes) -> None:
        """Cancel the key's handlers and drop its connections with all that was not sent yet."""
        current = asyncio.current_task()
        for task in tuple(self._running.get(public_key, ())):
            if task is not current:
                task.cancel()
        for connection, keys in tuple(self._used_by.items()):
            if public_key in keys:
                if connection.transport is not None:
                    connection.transport.abort()
                del self._used_by[connection]

    def _remember(self, connection: RequestHandler, public_key: bytes) -> None:
        keys = self._used_by.get(connection)
        if keys is None:
            for other in [each for each in self._used_by if each.transport is None]:
                del self._used_by[other]
            keys = self._used_by[connection] = set()
        keys.add(public_key)


class BoundedServer(web.Server):
    """aiohttp's low-level server with a bound on open connections."""

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection; one too many is closed at once."""
        super().connection_made(handler, transport)
        if len(self._connections) > limits.CONNECTIONS_INBOUND:
            transport.abort()
