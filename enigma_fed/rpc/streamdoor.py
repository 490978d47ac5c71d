"""`GET /rpc/v1/stream`: the handshake of a stream, behind the gate's checks (PROTOCOL section 3.1)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, cast

from aiohttp import HttpVersion11, web

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import WireError
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import Busy, NotAllowed
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.connections import BoundedConnection, Connections
from enigma_fed.rpc.gate import Doorkeeper, Gate
from enigma_fed.rpc.httpreply import SERVER_NAME
from enigma_fed.rpc.methods import Standing
from enigma_fed.rpc.passage import Passage
from enigma_fed.rpc.streamlink import Publisher, StreamLink, Subscription
from enigma_fed.wire import streamsig, websocket
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.streamsig import StreamRequest

_BODY_FIELDS: Final = ("Content-Length", "Transfer-Encoding", "Content-Encoding")


class StreamDoor:
    """Lets members in to the publisher's states, one stream each."""

    def __init__(
        self,
        key: NodeKey,
        gate: Gate,
        doorkeeper: Doorkeeper,
        connections: Connections,
        clock: Clock,
        publisher: Publisher,
    ) -> None:
        self._key = key
        self._gate = gate
        self._doorkeeper = doorkeeper
        self._connections = connections
        self._clock = clock
        self._publisher = publisher

    def check_form(self, request: web.BaseRequest) -> None:
        """Raise WireError unless it asks for a WebSocket, without a body; Busy when too much is under way."""
        if request.version != HttpVersion11:
            raise WireError("a stream is opened over HTTP/1.1")
        if any(name in request.headers for name in _BODY_FIELDS):
            raise WireError("a request for a stream has no body")
        websocket.check_upgrade(request.headers)
        if self._connections.active >= limits.REQUESTS_IN_FLIGHT:
            raise Busy("too many requests at once")

    def examine(self, passage: Passage, request: web.BaseRequest) -> StreamRequest:
        """The checks before the trust step; raises RpcError, WireError."""
        wall, boot = self._clock.wall(), self._clock.boot()
        return self._gate.examine_stream(passage, request.headers, wall=wall, boot=boot)

    async def serve(
        self, passage: Passage, asked: StreamRequest, request: web.BaseRequest
    ) -> web.StreamResponse:
        """The trust step, and then the stream until it ends; raises RpcError before it has begun."""
        did = passage.did
        assert did is not None
        with self._connections.serving(did.public_key, request.protocol):
            await self._admit(passage, did)
        response = web.StreamResponse(status=streamsig.SWITCHING_PROTOCOLS, headers=self._opening(asked))
        response.force_close()
        transport = request.transport
        if transport is not None:
            link = StreamLink(transport)
            subscription = self._publisher.attach(did, asked.have, link)
            try:
                await self._stream(request, response, link, subscription)
            finally:
                subscription.lost()
        return response

    def cut(self, did: Did) -> None:
        """Drop the stream of that DID before returning (invariant 6)."""
        self._publisher.cut(did)

    async def _stream(
        self, request: web.BaseRequest, response: web.StreamResponse, link: StreamLink, to: Subscription
    ) -> None:
        with suppress(ConnectionError):
            await response.prepare(request)
        connection = request.protocol
        if connection.transport is None:
            return
        if isinstance(connection, BoundedConnection):
            connection.streams = True
        # aiohttp wants a reader of its own kind, and only ever feeds it.
        connection.set_parser(cast(Any, link))
        await link.serve(to)

    async def _admit(self, passage: Passage, did: Did) -> None:
        """The trust step."""
        if passage.standing is Standing.SELF:
            raise NotAllowed("a node streams to its peers only")
        await self._doorkeeper.admit(did, streamsig.PATH, TrustLevel.OBSERVER)

    def _opening(self, asked: StreamRequest) -> dict[str, str]:
        signed = streamsig.sign_opening(
            self._key.sign,
            keyid=self._key.did.url,
            epoch=self._publisher.epoch,
            request_signature=asked.signed.signature_field,
            created=int(self._clock.wall()),
        )
        return {**websocket.upgrade_fields(asked.key), **signed, "Server": SERVER_NAME}
