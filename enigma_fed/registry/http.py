"""The HTTP side of a registry: limits, form and proof of a request, then its service, then one reply.

In this order: is the caller's account good for it (before a byte of the body is read), is there such a route,
may the body be read, is the proof there. A reply is JSON, whatever went wrong.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from aiohttp import HttpVersion11, web

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import EnigmaError, StoreError, TryLater, WriteFailed
from enigma_fed.base.registry_errors import (
    InputRefused,
    InternalFault,
    MethodNotAllowed,
    NotFoundHere,
    RateLimited,
    RegistryError,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from enigma_fed.base.rpc_errors import RpcError, UnsupportedMedia
from enigma_fed.base.rpc_errors import TooLarge as BodyTooLarge
from enigma_fed.registry.clientaddress import ClientKey
from enigma_fed.registry.doors import Door
from enigma_fed.registry.limiter import Bucket, Limiter
from enigma_fed.registry.listener import JSON, RegistryListener
from enigma_fed.registry.pow import ProofOfWork
from enigma_fed.registry.routes import Route
from enigma_fed.rpc.body import body_at_hand, read_body
from enigma_fed.rpc.httpreply import SERVER_NAME, HttpReply, UsualReplies
from enigma_fed.wire import httpsig
from enigma_fed.wire import registryreplies as replies

POW_HEADER: Final = "x-enigma-pow"
_CONTENT_TYPES: Final = frozenset({JSON, f"{JSON};charset=utf-8", f"{JSON}; charset=utf-8"})
_HEADERS: Final = MappingProxyType({httpsig.CONTENT_TYPE: JSON, "Server": SERVER_NAME})
_SAME_AS_GET: Final = MappingProxyType({"HEAD": "GET"})
_RETRY_AFTER_TROUBLE: Final = 5
"""Seconds after which a store in trouble is asked again."""


class Call(NamedTuple):
    """One request, as far as a route needs it."""

    request: web.BaseRequest
    client: ClientKey
    argument: str
    """The path's parameter."""
    body: bytes


class Answer(NamedTuple):
    """A reply with fields of its own."""

    body: bytes
    fields: Mapping[str, str]


Handler: TypeAlias = Callable[[Call], Awaitable[bytes | Answer]]


class Served(NamedTuple):
    """A route with what answers it."""

    route: Route
    handler: Handler
    pays: bool
    """Whether a proof of work is asked for."""
    ok: str
    """What an answer is counted as."""


Methods: TypeAlias = Mapping[str, Served]


class Table(NamedTuple):
    """What is served at a listener."""

    exact: Mapping[str, Methods]
    """By path."""
    below: Mapping[str, Methods]
    """By the path before a parameter and its slash."""


class HttpDoor:
    """Answers the requests of one listener."""

    def __init__(
        self,
        door: Door,
        table: Callable[[], Table],
        limiter: Limiter,
        work: ProofOfWork,
        counters: Counter[str],
        clock: Clock,
    ) -> None:
        """`table` is asked for each request: a changed configuration has another."""
        self._door = door
        self._table = table
        self._limiter = limiter
        self._work = work
        self._counters = counters
        self._clock = clock
        self._replies = UsualReplies(_HEADERS)
        self.listener: RegistryListener
        """Its listener, which is made with `handle`."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        methods, argument = self._find(request)
        served = methods.get(_SAME_AS_GET.get(request.method, request.method)) if methods else None
        try:
            client = self.listener.client(request)
            owes = self._admit(client, request, served)
            if served is None:
                raise NotFoundHere if methods is None else MethodNotAllowed
            body = b""
            if served.route.reads is not None:
                _check_kind(request)
                body = body_at_hand(request) or await _read(request)
            if owes or served.pays:
                self._check_work(request, served.route, argument, body)
            answer = await served.handler(Call(request, client, argument, body))
        except EnigmaError as error:
            return self._refuse(error, request, served, methods)
        self._counters[served.ok] += 1
        now = self._clock.wall()
        if isinstance(answer, bytes):
            return self._replies.reply(answer, now)
        return self._replies.reply(answer.body, now, answer.fields)

    def _find(self, request: web.BaseRequest) -> tuple[Methods | None, str]:
        """What is served at the request's path, and the path's parameter."""
        table = self._table()
        path = request.raw_path
        methods = table.exact.get(path)
        if methods is not None:
            return methods, ""
        head, _, argument = path.rpartition("/")
        if argument.isalnum() and head in table.below:
            return table.below[head], argument  # the usual case: nothing in it is written otherwise
        path = request.path
        head, _, argument = path.rpartition("/")
        return table.exact.get(path) or (table.below.get(head) if argument else None), argument

    def _admit(self, client: ClientKey, request: web.BaseRequest, served: Served | None) -> bool:
        """Charge the request to its client; whether a proof of work has to stand in for an empty account.

        Raises RateLimited, PowRequired.
        """
        bucket = Bucket.OTHER if served is None else served.route.bucket
        refusal = self._limiter.admit(client, bucket)
        if refusal is None:
            return False
        header = request.headers.get(POW_HEADER)
        if self._door is Door.ONION and served is not None and header is not None:
            self._work.solved(header, served.route.head)
            return True
        raise RateLimited(refusal.retry_after)

    def _check_work(self, request: web.BaseRequest, route: Route, argument: str, body: bytes) -> None:
        digest = hashlib.blake2b(argument.encode() + b"\0" + body, digest_size=32).digest()
        self._work.check(request.headers.get(POW_HEADER), route.head, digest)

    def _refuse(
        self,
        error: EnigmaError,
        request: web.BaseRequest,
        served: Served | None,
        methods: Methods | None,
    ) -> HttpReply:
        told = self._told(error)
        name = "other" if served is None else served.route.name
        self._counters[f"{name}-{told.registry_code}"] += 1
        fields = dict(_HEADERS)
        if told.retry_after is not None:
            fields["Retry-After"] = str(told.retry_after)
        if isinstance(told, MethodNotAllowed) and methods is not None:
            fields["Allow"] = ", ".join(sorted(methods))
        if isinstance(told, Unauthorized):
            fields["WWW-Authenticate"] = "EnigmaFed"
        date = self._replies.date(self._clock.wall())
        response = HttpReply(told.http_status, replies.error(told), fields, date)
        if not request.content.is_eof():
            response.force_close()  # what else comes on it is not read
        return response

    def _told(self, error: EnigmaError) -> RegistryError:
        """What the caller is told of an error; one of ours is logged, with nothing of the caller's."""
        if isinstance(error, RegistryError):
            return error
        self.listener.log_failure(error)
        trouble = isinstance(error, StoreError | TryLater | WriteFailed)
        return Unavailable(_RETRY_AFTER_TROUBLE) if trouble else InternalFault()


def _check_kind(request: web.BaseRequest) -> None:
    """Raise UnsupportedMediaType unless the request says, once, that its body is JSON."""
    kinds = request.headers.getall(httpsig.CONTENT_TYPE, ())
    if len(kinds) != 1 or (kinds[0] != JSON and kinds[0].lower() not in _CONTENT_TYPES):
        raise UnsupportedMediaType


async def _read(request: web.BaseRequest) -> bytes:
    """A body; raises UnsupportedMediaType, TooLarge, InputRefused."""
    try:
        await _say_go_on(request)
        return await read_body(request)
    except UnsupportedMedia:
        compressed = "Content-Encoding" in request.headers
        raise UnsupportedMediaType("content-encoding" if compressed else "transfer-encoding") from None
    except BodyTooLarge:
        raise TooLarge from None
    except RpcError:
        raise InputRefused("body", "body did not come") from None


async def _say_go_on(request: web.BaseRequest) -> None:
    """Answer `Expect: 100-continue`: who sends that may wait for it with the body."""
    large = (request.content_length or 0) > limits.REQUEST_BYTES
    if large or request.headers.get("Expect", "").lower() != "100-continue":
        return
    if request.version == HttpVersion11 and not request.content.is_eof():
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer has not begun with that
