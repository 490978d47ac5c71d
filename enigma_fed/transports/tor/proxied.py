"""One connection through a SOCKS port, a Unix socket or TCP, with the connector's own handler on it.

aiohttp-socks knows no Unix sockets, and puts a handler of its own on every connection: the
sizes that the connector's handler keeps (transports/replybounds.py) would not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from python_socks import ProxyConnectionError, ProxyType
from python_socks.async_.asyncio.v2 import Proxy
from python_socks.async_.asyncio.v2._stream import AsyncioSocketStream

from enigma_fed.transports.tor.endpoint import Endpoint

P = TypeVar("P", bound=asyncio.Protocol)
_PASSWORD: Final = "x"  # noqa: S105 - tor takes any, and needs one to look at the user name


class _UnixSocket(Proxy):
    """Stands where python-socks expects the proxy before the proxy: opens the way to it."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def connect(self, *_: object, **__: object) -> AsyncioSocketStream:
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
        except OSError as error:
            raise ProxyConnectionError(error.errno, error.strerror or "no connection") from error
        return AsyncioSocketStream(asyncio.get_running_loop(), reader, writer)


async def connect_through(
    socks: Endpoint,
    user: str,
    target: tuple[str, int],
    seconds: float | None,
    make_handler: Callable[[], P],
) -> tuple[asyncio.Transport, P]:
    """A connection to `target` (a checked onion and a port) under a SOCKS user name, for that handler.

    Raises python_socks.ProxyError, ProxyTimeoutError, ProxyConnectionError, OSError, EOFError.
    """
    before = _UnixSocket(socks.path) if socks.is_unix else None
    proxy = Proxy(ProxyType.SOCKS5, socks.host, socks.port, user, _PASSWORD, rdns=True, forward=before)
    stream = await proxy.connect(*target, timeout=seconds)
    transport = cast(asyncio.Transport, stream.writer.transport)
    handler = make_handler()
    # A writer that nobody holds closes its transport.
    cast(Any, handler).stream_writer = stream.writer
    transport.set_protocol(handler)
    handler.connection_made(transport)
    return transport, handler
