"""`POST /rpc/v1`: the aiohttp side of the gate (PROTOCOL section 1).

Reads one bounded body, lets the gate decide, runs the method, signs the reply once. A `GET` of exactly
`/rpc/v1/stream` goes to the door of streams; anything else gets a short 404, 405 or 400.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Final

from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import EnigmaError, WireError
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import (
    Busy,
    NotAllowed,
    RpcError,
    Stale,
    UnsupportedMedia,
)
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc import rules
from enigma_fed.rpc.body import read_body
from enigma_fed.rpc.challenge import Challenger
from enigma_fed.rpc.circuits import Circuit, Circuits
from enigma_fed.rpc.connections import BoundedConnection, BoundedServer, Connections
from enigma_fed.rpc.gate import Doorkeeper, Gate, in_start_window
from enigma_fed.rpc.httpreply import SERVER_NAME, HttpReply
from enigma_fed.rpc.methods import Caller, EncodedResult, Method, MethodTable, Result, Standing
from enigma_fed.rpc.passage import Passage
from enigma_fed.rpc.streamdoor import StreamDoor
from enigma_fed.rpc.streamlink import Publisher
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.wire import httpsig, jsonrpc, streamsig
from enigma_fed.wire.jsonrpc import BodyForm

_log = logging.getLogger(__name__)

_SECRET_BYTES: Final = 32
_SHUTDOWN_TIMEOUT: Final = 2.0
"""At the end, handlers in flight get this long."""
_UNAUTHORIZED: Final = 401
_TARGETS: Final = MappingProxyType({httpsig.PATH: httpsig.METHOD, streamsig.PATH: streamsig.METHOD})


@dataclass(frozen=True, slots=True)
class Load:
    """What an endpoint holds at a moment, in numbers."""

    requests: int
    """Handlers in flight."""
    nonces: int
    """Nonces remembered."""
    circuits: int
    """Circuits with an account."""


class RpcEndpoint:
    """Serves the methods of one node to its peers, on any number of listeners."""

    def __init__(
        self,
        key: NodeKey,
        methods: MethodTable,
        doorkeeper: Doorkeeper,
        clock: Clock,
        random: Callable[[int], bytes],
        challenge_everyone: Callable[[], bool] = lambda: False,
        legacy_methods: Iterable[Method] = (),
        let_in: Callable[[float], None] = lambda wall: None,
        traffic: Traffic | None = None,
        publisher: Publisher | None = None,
    ) -> None:
        """`challenge_everyone` is asked on top of the first 180 s; `random` gives secret random bytes.

        `legacy_methods` are reached by the Rust agent's own requests, which are not signed as ours are.
        `let_in` hears the Unix time up to which each answer to a challenge that passed was signed;
        `traffic` counts the bytes of members; without a `publisher` there are no streams.
        """
        started = clock.boot()
        self._key = key
        self._keyid = key.did.url
        self._doorkeeper = doorkeeper
        self._clock = clock
        self._connections = Connections()
        self._circuits = Circuits()
        self._traffic = traffic or Traffic(clock.boot)
        self._gate = Gate(
            key.did,
            methods,
            doorkeeper,
            Challenger(random(_SECRET_BYTES)),
            lambda boot: in_start_window(boot, started) or challenge_everyone(),
            MethodTable(legacy_methods),
            let_in,
        )
        self._date = lru_cache(maxsize=1)(partial(formatdate, usegmt=True))
        self._streams: StreamDoor | None = None
        if publisher is not None:
            self._streams = StreamDoor(key, self._gate, doorkeeper, self._connections, clock, publisher)
        self.statistics: Counter[str] = Counter()
        """Replies by the word of their error, `ok` for results, `bad-http` for what could not be read.

        Besides: `evicted` connections, and `circuit-limited` requests, which got the reply `busy`.
        """

    def application(self) -> web.Application:
        """An aiohttp application with this endpoint only."""
        application = web.Application(client_max_size=limits.REQUEST_BYTES)
        application.router.add_route("*", "/{path:.*}", self.handle)
        return application

    def server(self) -> BoundedServer:
        """A server for one listener, with a bound of connections of its own."""
        return BoundedServer(self.handle, self._note, self._traffic)

    def runner(self) -> web.ServerRunner:
        """The lean way to serve: no router, everything bounded."""
        return web.ServerRunner(self.server(), shutdown_timeout=_SHUTDOWN_TIMEOUT)

    @property
    def load(self) -> Load:
        """What it holds now."""
        return Load(self._connections.active, self._gate.nonces, len(self._circuits))

    def cut(self, did: Did) -> None:
        """Cancel what runs for this DID and close its connections, before returning (invariant 6)."""
        if self._streams is not None:
            self._streams.cut(did)
        self._connections.cut(did.public_key)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        circuit = self._circuit(request)
        if circuit is not None and not circuit.may_ask(self._clock.boot()):
            self._note("circuit-limited")
            return self._turned_away(Busy("too many requests by one circuit"))
        if request.raw_path == streamsig.PATH and request.method == streamsig.METHOD and self._streams:
            return await self._open_stream(self._streams, request, circuit)
        if request.raw_path != httpsig.PATH or request.method != httpsig.METHOD:
            return _elsewhere(request)
        passage = Passage(BodyForm.JSON)
        try:
            passage.form = _read_form(request)
            body = await read_body(request)
            if self._connections.active >= limits.REQUESTS_IN_FLIGHT:
                raise Busy("too many requests at once")
        except (RpcError, WireError) as error:
            return self._turned_away(error, passage)
        wall, boot = self._clock.wall(), self._clock.boot()
        try:
            self._gate.examine(passage, request.headers, body, wall=wall, boot=boot)
        except (RpcError, WireError) as error:
            return self._refused(passage, error, circuit)
        return await self._serve(passage, request)

    async def _open_stream(
        self, door: StreamDoor, request: web.BaseRequest, circuit: Circuit | None
    ) -> web.StreamResponse:
        passage = Passage(BodyForm.JSON)
        try:
            door.check_form(request)
        except (RpcError, WireError) as error:
            return self._turned_away(error, passage)
        try:
            asked = door.examine(passage, request)
        except (RpcError, WireError) as error:
            return self._refused(passage, error, circuit)
        try:
            return await door.serve(passage, asked, request)
        except EnigmaError as error:
            return self._error(passage, error)

    def _refused(self, passage: Passage, error: EnigmaError, circuit: Circuit | None) -> HttpReply:
        """The gate's answer to what it does not let in; whoever is no member has a few tries only."""
        if circuit is not None and not passage.of_a_member and not isinstance(error, Stale):
            circuit.failed(self._clock.boot())
        return self._error(passage, error)

    def _circuit(self, request: web.BaseRequest) -> Circuit | None:
        """The account of the circuit that the request came by, where tor tells."""
        connection = request.protocol
        if not isinstance(connection, BoundedConnection) or connection.circuit is None:
            return None
        return self._circuits.find(connection.circuit)

    def _turned_away(self, error: EnigmaError, passage: Passage | None = None) -> HttpReply:
        """An error that closes the connection: what else comes on it is not read."""
        response = self._error(passage or Passage(BodyForm.JSON), error)
        response.force_close()
        return response

    def _note(self, word: str) -> None:
        self.statistics[word] += 1

    async def _serve(self, passage: Passage, request: web.BaseRequest) -> HttpReply:
        assert passage.did is not None
        public_key = passage.did.public_key
        proven = passage.of_a_member
        connection = request.protocol if proven or passage.legacy else None
        with self._connections.serving(public_key, connection, proven=proven):
            try:
                await self._admit(passage, passage.did)
                body = await self._run(passage, passage.did)
            except EnigmaError as error:
                return self._error(passage, error)
        self.statistics["ok"] += 1
        return self._reply(passage, 200, body, signed=passage.signature_held)

    async def _admit(self, passage: Passage, did: Did) -> None:
        """The trust step."""
        method = passage.method
        trust = method.trust if method is not None else None
        if passage.legacy:
            self._doorkeeper.admit_legacy(did, trust)
        elif passage.standing is Standing.MEMBER:
            await self._doorkeeper.admit(did, passage.call.method if passage.call else None, trust)
        elif passage.standing is Standing.SELF and method is not None and not method.open_to_self:
            raise NotAllowed("a node calls this at its peers only")

    async def _run(self, passage: Passage, did: Did) -> bytes:
        """The body of the reply."""
        if passage.broken is not None:
            raise passage.broken
        method, call = passage.method, passage.call
        assert method is not None
        assert call is not None
        params = self._gate.read_params(passage, method)
        result = await method.handler(Caller(did, passage.standing), params)
        return b"" if call.notification else _encode(passage, call.id, result)

    def _error(self, passage: Passage, error: EnigmaError) -> HttpReply:
        told = rules.to_rpc_error(error)
        self.statistics[told.code] += 1
        if not isinstance(error, RpcError | WireError):
            _log.warning("a call failed here: %s", error.code)
        status = rules.http_status(told, past_nonce=passage.past_nonce)
        call = passage.call
        if call is not None and call.notification and passage.past_nonce:
            body = b""
        else:
            challenge = told.challenge if isinstance(told, Stale) else ""
            body = jsonrpc.encode_error(passage.form, call.id if call else None, told, challenge)
        held = passage.signature_held
        signed = rules.is_signed(told, signature_held=held, standing=passage.standing)
        return self._reply(passage, status, body, signed=signed)

    def _reply(self, passage: Passage, status: int, body: bytes, *, signed: bool) -> HttpReply:
        """A reply; where `signed`, bound to its request."""
        created = int(self._clock.wall())
        if not signed:
            return self._response(status, body, {httpsig.CONTENT_TYPE: passage.form.content_type}, created)
        fields = httpsig.sign_reply(
            self._key.sign,
            keyid=self._keyid,
            status=status,
            content_type=passage.form.content_type,
            body=body,
            request_signature=passage.signature_field,
            created=created,
        )
        return self._response(status, body, fields, created)

    def _response(self, status: int, body: bytes, fields: dict[str, str], created: int) -> HttpReply:
        fields["Server"] = SERVER_NAME
        if status == _UNAUTHORIZED:
            fields["WWW-Authenticate"] = "EnigmaFed"
        return HttpReply(status, body, fields, self._date(created))


def _encode(passage: Passage, call_id: jsonrpc.CallId, result: Result) -> bytes:
    form = passage.form
    if isinstance(result, EncodedResult):
        return jsonrpc.encode_result(form, call_id, result.encoded(binary=form.binary))
    return jsonrpc.encode_result(form, call_id, form.encode(result.to_object(binary=form.binary)))


def _elsewhere(request: web.BaseRequest) -> web.Response:
    """What a request to another target or with another method gets: nothing is read or parsed."""
    method = _TARGETS.get(request.raw_path)
    if method is not None:
        response = web.Response(status=405, text=f"{method} only\n", headers={"Allow": method})
    elif request.path in _TARGETS:
        response = web.Response(status=400, text=f"the target is exactly {request.path}\n")
    else:
        response = web.Response(status=404, text="not found\n")
    response.headers["Server"] = SERVER_NAME
    response.force_close()
    return response


def _read_form(request: web.BaseRequest) -> BodyForm:
    """The body's form; raises UnsupportedMedia, WireError (a content type that occurs twice)."""
    form = jsonrpc.body_form(httpsig.single(request.headers, httpsig.CONTENT_TYPE) or "")
    if form is None:
        raise UnsupportedMedia("the content type must be application/json or application/cbor")
    return form
