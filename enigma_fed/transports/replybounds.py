"""What a reply may bring besides its body, before aiohttp's client parses it (invariant 7).

The library takes any number of 1xx replies before the real one, any length of a chunk's extension, and
any number of replies to one request; each would keep the loop busy as long as the other side likes to
send. What comes and goes is counted here as well, for whoever ties the connection to a peer.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any, Final, cast

from aiohttp import BaseConnector, ClientPayloadError
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import set_exception

from enigma_fed.base import limits
from enigma_fed.transports.wrapped import ConnectionBytes, CountingTransport

_PIECE: Final = 4096
"""Bytes that are parsed before the next look at what has come."""
_FIRST_FINAL: Final = 200
_SWITCHING: Final = 101


class BoundedReplies(ResponseHandler):
    """The client's end of one connection: heads and whole replies have a size."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reply_bytes: int = limits.REPLY_BYTES) -> None:
        super().__init__(loop=loop)
        self._most = 2 * reply_bytes
        self.bytes = ConnectionBytes()
        """What the connection has brought and taken."""
        self._received = 0
        self._answered = False
        self._answered_twice = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, and count what is written to it."""
        super().connection_made(CountingTransport(cast(asyncio.Transport, transport), self.bytes))

    def set_response_params(self, **params: Any) -> None:
        """A request is about to be sent: its reply is counted anew."""
        self._received = 0
        self._answered = self._answered_twice = False
        super().set_response_params(**params)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take a head from the parser, and note the one that is not just an announcement."""
        code = data[0].code
        final = code >= _FIRST_FINAL or code == _SWITCHING
        self._answered_twice = self._answered_twice or (final and self._answered)
        self._answered = self._answered or final
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Parse as far as the sizes allow; past them the connection is closed."""
        self.bytes.add(len(data), 0)
        if self._payload_parser is not None:  # a WebSocket, whose own reader counts from here on
            super().data_received(data)
            return
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            self._received += len(piece)
            super().data_received(piece)
            most = self._most if self._answered else limits.HEAD_BYTES
            if self._received > most:
                self._refuse()
                return
            if self._answered_twice:  # the first answer stands; nobody asked for more
                if self.transport is not None:
                    self.transport.abort()
                return

    def _refuse(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        error = ClientPayloadError("it is larger than any reply that is asked for")
        self.set_exception(error)
        if self._payload is not None:
            set_exception(self._payload, error)


def bound_replies(connector: BaseConnector, reply_bytes: int = limits.REPLY_BYTES) -> None:
    """Make every connection of this connector count what its replies bring, `reply_bytes` of body at most."""
    handler = cast(Any, BoundedReplies)
    connector._factory = functools.partial(handler, loop=connector._loop, reply_bytes=reply_bytes)
