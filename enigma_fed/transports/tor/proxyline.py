"""The listener behind the onion: tor says which circuit a connection came by, then HTTP follows.

`HiddenServiceExportCircuitID haproxy` makes tor start every connection with one line of the
PROXY protocol, version 1, such as `PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80`; the last
32 bits of the first address are the circuit's number.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.transports.unixsocket import bind_private
from enigma_fed.transports.wrapped import WrappedTransport

CIRCUIT_ID: Final = "circuit_id"
"""`transport.get_extra_info(CIRCUIT_ID)` is the circuit's number (int)."""
_TOR_PREFIX: Final = ipaddress.IPv6Network("fc00:dead:beef:4dad::/64")
_LINE_END: Final = b"\r\n"


def parse_proxy_line(line: bytes) -> int:
    """The circuit's number in tor's first line (without its line end); raises WireError."""
    words = line.split(b" ")
    if len(words) != 6 or words[:2] != [b"PROXY", b"TCP6"]:
        raise WireError("a connection does not start with tor's line")
    try:
        address = ipaddress.IPv6Address(words[2].decode("ascii"))
    except ValueError:
        raise WireError("tor's line holds no address") from None
    if address not in _TOR_PREFIX:
        raise WireError("tor's line holds a foreign address")
    return int(address) & 0xFFFF_FFFF


class CircuitTransport(WrappedTransport):
    """A transport that also knows its circuit; all else is the wrapped one's."""

    __slots__ = ("_circuit_id",)

    def __init__(self, inner: asyncio.Transport, circuit_id: int) -> None:
        super().__init__(inner)
        self._circuit_id = circuit_id

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As asyncio's, and `circuit_id`."""
        return self._circuit_id if name == CIRCUIT_ID else super().get_extra_info(name, default)


class _FirstLine(asyncio.Protocol):
    """Eats tor's line, then hands every event of the connection to the handler's protocol."""

    def __init__(self, listener: OnionListener) -> None:
        self._listener = listener
        self._buffer = b""
        self._handler: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._listener.admit(self):
            self._transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(limits.PROXY_LINE_TIMEOUT, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._handler is not None:
            self._handler.data_received(data)
            return
        self._buffer += data
        end = self._buffer.find(_LINE_END, 0, limits.PROXY_LINE_BYTES)
        if end >= 0:
            self._hand_over(self._buffer[:end], self._buffer[end + len(_LINE_END) :])
        elif len(self._buffer) >= limits.PROXY_LINE_BYTES:
            self.abort()

    def _hand_over(self, line: bytes, rest: bytes) -> None:
        assert self._transport is not None
        self._buffer = b""
        try:
            circuit_id = parse_proxy_line(line)
        except WireError:
            self.abort()
            return
        self._stop_timer()
        self._handler = self._listener.factory()
        self._handler.connection_made(CircuitTransport(self._transport, circuit_id))
        if rest:
            self._handler.data_received(rest)

    def eof_received(self) -> bool | None:
        return self._handler.eof_received() if self._handler is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._listener.forget(self)
        if self._handler is not None:
            self._handler.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        if self._handler is not None:
            self._handler.resume_writing()

    @property
    def waiting(self) -> bool:
        """Whether tor's line has not come yet."""
        return self._handler is None

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class OnionListener:
    """Serves the handlers of an `aiohttp.web.AppRunner` (its `.server`) on a Unix socket for tor.

    The socket has mode 0600. At most `limits.PROXY_LINES_DUE` connections wait for tor's line at once;
    how many are served is the server's to bound, which finds each one's circuit under CIRCUIT_ID.
    Close the listener before the runner's `cleanup`.
    """

    def __init__(self, factory: Callable[[], asyncio.Protocol], path: Path) -> None:
        self.factory = factory
        self.path = path
        self._open: set[_FirstLine] = set()
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._open)

    async def start(self) -> None:
        """Listen; a socket left over from before is replaced. Raises OperationFailed."""
        loop = asyncio.get_running_loop()
        listening = bind_private(self.path)
        self._server = await loop.create_unix_server(lambda: _FirstLine(self), sock=listening)

    async def close(self) -> None:
        """Take no more connections; those that a handler serves already are its runner's to end."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for connection in [each for each in self._open if each.waiting]:
            connection.abort()
        self.path.unlink(missing_ok=True)

    def admit(self, connection: _FirstLine) -> bool:
        """Count a new connection; False when too many wait for tor's line."""
        if sum(each.waiting for each in self._open) >= limits.PROXY_LINES_DUE:
            return False
        self._open.add(connection)
        return True

    def forget(self, connection: _FirstLine) -> None:
        """A connection has ended."""
        self._open.discard(connection)
