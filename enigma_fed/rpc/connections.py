"""Connections from peers: bounds of time and number, and cutting a peer off (invariants 6 and 7)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from types import MappingProxyType
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from enigma_fed.base import limits
from enigma_fed.base.ratelimit import TokenBucket
from enigma_fed.rpc.httpreply import SERVER_NAME
from enigma_fed.rpc.places import Places
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.transports.tor.proxyline import CIRCUIT_ID
from enigma_fed.transports.wrapped import ConnectionBytes, CountingTransport

_log = logging.getLogger(__name__)

BAD_HTTP: Final = "bad-http"
"""What a request that is no HTTP is counted as."""
EVICTED: Final = "evicted"
"""What a connection that had to make room for another is counted as."""
_FAILED: Final = "internal"
_PIECE: Final = 4096
"""Bytes that are parsed before the next look at what a connection has brought."""
_FEW: Final = 2
"""Requests that may wait for their turn whatever their size; more count together, up to MESSAGE_BYTES."""
_SERVER_ERROR: Final = 500
_OPTIONS: Final = MappingProxyType(
    {
        "access_log": None,
        "keepalive_timeout": float(limits.KEEPALIVE + limits.READ_TIMEOUT),
        "max_line_size": limits.HEADER_BYTES,
        "max_field_size": limits.HEADER_BYTES,
        "max_headers": limits.HEADERS,
        "lingering_time": 1.0,
        "auto_decompress": False,
        "read_bufsize": limits.REQUEST_BYTES,
    }
)
"""What aiohttp makes every connection with: bounded headers, no access log."""


class Connections:
    """Handlers in flight by public key, and the connections that each member's key used."""

    def __init__(self) -> None:
        self.active = 0
        """Handlers in flight."""
        self._running: dict[bytes, set[asyncio.Task[object]]] = {}
        self._used_by: dict[RequestHandler, set[bytes]] = {}

    def serving(
        self, public_key: bytes, connection: RequestHandler | None, *, proven: bool = True
    ) -> _Serving:
        """Note, while inside, that the current task serves this key; `connection` is remembered as used.

        It gets the place of a member's only if the request is `proven` to be that member's own.
        """
        if connection is not None:
            self._remember(connection, public_key, proven)
        return _Serving(self, public_key)

    def begin(self, public_key: bytes, task: asyncio.Task[object]) -> None:
        """A task serves this key."""
        tasks = self._running.get(public_key)
        if tasks is None:
            tasks = self._running[public_key] = set()
        tasks.add(task)
        self.active += 1

    def end(self, public_key: bytes, task: asyncio.Task[object]) -> None:
        """It does not any more."""
        self.active -= 1
        tasks = self._running.get(public_key)
        if tasks is not None:
            tasks.discard(task)
            if not tasks:
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

    def _remember(self, connection: RequestHandler, public_key: bytes, proven: bool) -> None:
        keys = self._used_by.get(connection)
        if keys is None:
            for other in [each for each in self._used_by if each.transport is None]:
                del self._used_by[other]
            keys = self._used_by[connection] = set()
        keys.add(public_key)
        if proven and isinstance(connection, BoundedConnection):
            connection.keep(public_key)


class _Serving:
    """A context around what a task does for a key (contextlib's takes twice as long)."""

    __slots__ = ("_connections", "_public_key", "_task")

    def __init__(self, connections: Connections, public_key: bytes) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections, self._public_key, self._task = connections, public_key, task

    def __enter__(self) -> None:
        self._connections.begin(self._public_key, self._task)

    def __exit__(self, *_: object) -> None:
        self._connections.end(self._public_key, self._task)


class BoundedConnection(RequestHandler):
    """One connection: a header must come in time, and what cannot be read gets a short answer.

    A header has limits.READ_TIMEOUT from its first byte; the first one from the moment the
    connection stands, and so every later one until a member's request was served here. A reply
    that is not read ends the connection, too, whoever it is for.
    """

    __slots__ = (
        "_deadline",
        "_kept",
        "_lines",
        "_received",
        "_server",
        "_timer",
        "_unsent_since",
        "_wire",
        "bytes",
        "circuit",
        "streams",
    )

    def __init__(self, server: BoundedServer, **options: Any) -> None:
        super().__init__(server, **options)
        self._server = server
        self._kept = False
        self._received = 0
        self._lines = 0
        self._deadline: float | None = None
        self._unsent_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wire: asyncio.Transport
        self.circuit: int | None = None
        """The number of the circuit that it came by, where tor tells."""
        self.bytes = ConnectionBytes()
        """What it has brought and taken."""
        self.streams = False
        """Whether it carries a stream, whose own reader bounds what it brings."""

    def keep(self, public_key: bytes) -> None:
        """This member is at the other end: between its requests only aiohttp's keep-alive ends it."""
        if not self._kept:
            self._kept = True
            self._deadline = None
        self.bytes.tie(self._server.traffic.account(public_key))
        self._server.prove(self, public_key)

    def drop(self) -> None:
        """Close at once, with all that was not sent yet."""
        self._wire.abort()

    @property
    def idle(self) -> bool:
        """Whether aiohttp waits for a header."""
        return self._waiter is not None and not self._waiter.done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, and wait for its first header."""
        self._wire = cast(asyncio.Transport, transport)
        self.circuit = transport.get_extra_info(CIRCUIT_ID)
        super().connection_made(CountingTransport(self._wire, self.bytes))
        self._set_deadline()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the deadline, then as aiohttp."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """As aiohttp, which asks for it with every body that is read, if reading was paused at all."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def data_received(self, data: bytes) -> None:
        """Parse in pieces, and stop at the first that breaks a bound: time, and memory of what waits."""
        self.bytes.add(len(data), 0)
        if len(data) <= _PIECE:
            self._take(data)
            return
        for start in range(0, len(data), _PIECE):
            if self._wire.is_closing():
                return
            self._take(data[start : start + _PIECE])

    def _take(self, data: bytes) -> None:
        """Parse, and note whether a header has begun or has become complete."""
        if self.streams:
            super().data_received(data)
            return
        seen, waited = self._request_count, bool(self._messages)
        super().data_received(data)
        if self._request_count != seen:
            if not waited:
                self._received = self._lines = 0  # all that came before has had its turn
            self._deadline = None
            self._forget_frames()
            if not self._kept:
                self._set_deadline()
            if len(self._messages) <= _FEW:
                self._received = self._lines = 0
                return
        # What the parser drops without a word (empty lines, extensions of chunks) counts as well, and so
        # does what is sent ahead: the library would keep 32 requests with their bodies.
        self._received += len(data)
        self._lines += data.count(b"\n")
        most = limits.HEAD_BYTES if self.idle else limits.MESSAGE_BYTES
        if self._received > most or self._lines > limits.MESSAGE_LINES:
            self.drop()
        elif self._deadline is None and self.idle:
            self._set_deadline()

    def _forget_frames(self) -> None:
        """Of an error of the parser keep no traceback: its frames hold all that came, in a circle."""
        error = getattr(self._messages[-1][0], "exc", None) if self._messages else None
        if isinstance(error, BaseException):
            error.__traceback__ = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = _SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A short answer that tells nothing about this program; the connection is closed."""
        failed = status >= _SERVER_ERROR
        self._server.note(_FAILED if failed else BAD_HTTP)
        if failed:
            self._server.log_failure(exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        response = self._server.answer_broken(status)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What aiohttp would log each time."""
        self._server.log_failure(kw.get("exc_info"))

    def _set_deadline(self) -> None:
        self._deadline = self._loop.time() + limits.READ_TIMEOUT
        if self._timer is None:
            self._look_later(self._deadline)

    def _look_later(self, when: float) -> None:
        self._timer = self._loop.call_at(when, self._check_deadline)

    def _check_deadline(self) -> None:
        self._timer = None
        now = self._loop.time()
        if self._is_unread(now) or self._is_late(now):
            self.drop()
            return
        later = now + limits.READ_TIMEOUT
        self._look_later(later if self._deadline is None else min(self._deadline, later))

    def _is_unread(self, now: float) -> bool:
        """Whether the other side has not read its replies for too long, looking every READ_TIMEOUT."""
        if not self._wire.get_write_buffer_size():
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since = now
        return self._unsent_since is not None and now - self._unsent_since >= limits.WRITE_TIMEOUT

    def _is_late(self, now: float) -> bool:
        if self._deadline is None or now < self._deadline:
            return False
        if self.idle or self.writing_paused or self._wire.is_closing():
            return True
        self._deadline = now + limits.READ_TIMEOUT  # a request is being served: it has limits of its own
        return False


def _worth(connection: BoundedConnection) -> int:
    """Which goes later when one has to: one that is being answered, last of all one with a stream."""
    return 2 if connection.streams else int(not connection.idle)


class BoundedServer(web.Server):
    """aiohttp's low-level server for one listener, with places for strangers and for members."""

    def __init__(
        self,
        handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        note: Callable[[str], None],
        traffic: Traffic,
        most: int | None = None,
        few: int | None = None,
    ) -> None:
        """`note` is told of every request that `handle` never sees or fails at, in one word.

        `traffic` counts the bytes of whoever proves itself. `most` and `few` bound the connections of whoever
        is no member (`Places`).
        """
        options: dict[str, Any] = dict(_OPTIONS)
        super().__init__(handle, **options)
        self.note = note
        self.traffic = traffic
        self.places: Places[BoundedConnection] = Places(_worth, most, few)
        self._failures = TokenBucket(limits.FAILURES_LOGGED / 3600, limits.FAILURES_LOGGED)

    def __call__(self) -> RequestHandler:
        """The protocol of a new connection."""
        return BoundedConnection(self, loop=self._loop, **self._kwargs)

    def origin(self, connection: BoundedConnection) -> Hashable:
        """Who may hold only a few of the places: its circuit, or None where nobody can tell."""
        return connection.circuit

    def answer_broken(self, status: int) -> web.Response:
        """What whoever sends no HTTP (400) or meets an error of this program (500) gets."""
        text = "failed\n" if status >= _SERVER_ERROR else "bad request\n"
        return web.Response(status=status, text=text, headers={"Server": SERVER_NAME})

    def log_failure(self, error: BaseException | None) -> None:
        """Log an error of this program, now and then: a caller who finds one must not fill the log."""
        if self._failures.take(self._loop.time()):
            _log.error("a request failed here", exc_info=error)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection; when there are too many, one that no member has proved itself on ends."""
        super().connection_made(handler, transport)
        assert isinstance(handler, BoundedConnection)
        self._evict(self.places.arrive(handler, self.origin(handler)))

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """A connection has ended."""
        super().connection_lost(handler, exc)
        assert isinstance(handler, BoundedConnection)
        self.places.leave(handler)

    def prove(self, connection: BoundedConnection, public_key: bytes) -> None:
        """A member's request held on a connection; one of a member may have to end for it."""
        self._evict(self.places.prove(connection, public_key))

    def _evict(self, connection: BoundedConnection | None) -> None:
        if connection is not None:
            self.note(EVICTED)
            connection.drop()
