"""Connections by TLS: a bounded number of handshakes at once, and a certificate that can be exchanged.

The event loop's own TLS server keeps one certificate for life and begins any number of handshakes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Final

from enigma_fed.base import registry_limits
from enigma_fed.base.tasks import Tasks

_log = logging.getLogger(__name__)
_PAUSE: Final = 0.5
"""Seconds until the next try when no connection can be taken, for want of file numbers mostly."""


class TlsListener:
    """Accepts connections of one listening socket; what they carry then is the protocol's of `factory`.

    At most `registry_limits.TLS_HANDSHAKES` are in their handshake; one more ends the oldest of them.
    Close the listener before the server that `factory` belongs to.
    """

    def __init__(
        self, factory: Callable[[], asyncio.Protocol], listening: socket.socket, context: ssl.SSLContext
    ) -> None:
        """`listening` is bound, listens, does not block, and is closed with the listener."""
        self.context = context
        """What connections are accepted with from here on: put another one in its place."""
        self.counts: Counter[str] = Counter()
        """Handshakes by how they ended: `done`, `failed`, `crowded-out`."""
        self._factory = factory
        self._listening = listening
        self._tasks = Tasks()
        self._handshakes: dict[asyncio.Task[None], None] = {}

    @property
    def handshakes(self) -> int:
        """How many are under way."""
        return len(self._handshakes)

    def start(self) -> None:
        """Accept connections from here on."""
        self._tasks.start("registry: accepting connections", self._accept())

    async def close(self) -> None:
        """Accept no more, and end the handshakes under way; connections that stand go on."""
        await self._tasks.close()
        self._listening.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listening)
            except OSError as error:
                _log.warning("a connection could not be taken: %s", error.strerror or error)
                await asyncio.sleep(_PAUSE)
                continue
            self._make_room()
            task = self._tasks.start("registry: TLS handshake", self._shake_hands(connection))
            self._handshakes[task] = None
            task.add_done_callback(lambda done: self._handshakes.pop(done, None))

    def _make_room(self) -> None:
        """End the oldest: whoever means it is through in a moment."""
        if len(self._handshakes) >= registry_limits.TLS_HANDSHAKES:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest.cancel()
            self.counts["crowded-out"] += 1

    async def _shake_hands(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                self._factory,
                connection,
                ssl=self.context,
                ssl_handshake_timeout=registry_limits.TLS_HANDSHAKE_TIMEOUT,
                ssl_shutdown_timeout=registry_limits.TLS_SHUTDOWN_TIMEOUT,
            )
        except (OSError, EOFError):  # whoever spoke no TLS, was too slow or had no certificate
            self.counts["failed"] += 1
            with contextlib.suppress(OSError):
                connection.close()
        except asyncio.CancelledError:
            with contextlib.suppress(OSError):
                connection.close()
            raise
        else:
            self.counts["done"] += 1
