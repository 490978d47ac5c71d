"""The homes of tests.support.fakenetwork with the real client and endpoint, over loopback HTTP."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.federation.client import GET_STATE, PeerCaller, RpcPeerCaller
from enigma_fed.federation.methods import peer_joined_method, tokenless_join_method
from enigma_fed.rpc.builtin import package_install
from enigma_fed.rpc.client import Reply, RpcClient, SigningRequest
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.methods import Caller, Method, MethodTable, Result
from enigma_fed.state.results import PlainResult, StateResult
from enigma_fed.wire import jsonrpc
from enigma_fed.wire.join import JoinParams, JoinReply
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.records import Node, TrustLevel
from enigma_fed.wire.state import GetStateParams, Have, StateAnswer
from tests.support.fakenetwork import Home, Network
from tests.support.rpcserver import OnionResolver, serving

T = TypeVar("T")


class Heard(NamedTuple):
    """A request that a home got."""

    target: Did
    headers: CIMultiDict[str]


class HttpNetwork(Network):
    """Every home has a session and an endpoint of its own; one loopback port stands for all onions."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.heard: list[Heard] = []
        self.resolver = OnionResolver()
        self.port = 0
        self.under_way = 0
        self._endpoints: dict[OnionAddress, RpcEndpoint] = {}
        self._clients: dict[OnionAddress, RpcClient] = {}
        self._sessions: list[aiohttp.ClientSession] = []

    def session(self) -> aiohttp.ClientSession:
        """A session of its own, as each agent has one."""
        connector = aiohttp.TCPConnector(resolver=self.resolver, use_dns_cache=False)
        self._sessions.append(aiohttp.ClientSession(connector=connector, request_class=SigningRequest))
        return self._sessions[-1]

    def caller(self, home: Home) -> PeerCaller:
        def skewed(did: Did, seconds: int) -> None:
            home.federation.note_skew(did, seconds)

        client = RpcClient(home.key, self.session(), self.clock, os.urandom, skewed=skewed)
        self._clients[home.onion] = client
        return HttpCaller(self, home, RpcPeerCaller(client, self.clock))

    def serve(self, home: Home) -> None:
        get_state = _get_state(home)
        table = MethodTable((get_state, peer_joined_method(home.federation), package_install()))
        legacy = (get_state, tokenless_join_method(home.federation))
        self._endpoints[home.onion] = RpcEndpoint(
            home.key, table, home.federation, self.clock, os.urandom, legacy_methods=legacy
        )
        self.resolver.ports[str(home.onion)] = self.port

    def cut(self, home: Home, did: Did) -> None:
        self._endpoints[home.onion].cut(did)
        self._clients[home.onion].cut(did)

    @property
    def busy(self) -> bool:
        return super().busy or self.under_way > 0

    async def close(self) -> None:
        await super().close()
        for session in self._sessions:
            await session.close()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request at the endpoint of the home whose onion it names."""
        onion = OnionAddress.parse(request.host)
        self.heard.append(Heard(self.homes[onion].did, CIMultiDict(request.headers)))
        response = await self._endpoints[onion].handle(request)
        if self.lose_replies:
            self.lose_replies -= 1
            assert request.transport is not None
            request.transport.abort()
        return response

    async def play(self, target: Home, heard: Heard, body: bytes) -> str:
        """Send headers of before with this body, on a connection of its own; the word of the answer."""
        url = f"http://{target.onion}/rpc/v1"
        form = jsonrpc.body_form(heard.headers["Content-Type"])
        assert form is not None
        headers = CIMultiDict(heard.headers)
        for name in ("Host", "Content-Length"):
            headers.popall(name, None)
        async with self.session().post(url, data=body, headers=headers) as response:
            outcome = jsonrpc.decode_outcome(form, await response.read(), 1)
        return outcome.error or "ok"


class HttpCaller:
    """The real caller, counted."""

    def __init__(self, network: HttpNetwork, home: Home, inner: PeerCaller) -> None:
        self._network = network
        self._home = home
        self._inner = inner

    async def get_state(
        self, node: Node, have: Have | None, within: float = limits.CALL_TIMEOUT
    ) -> Reply[StateAnswer]:
        return await self._counted(self._inner.get_state(node, have, within))

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> Reply[JoinReply]:
        return await self._counted(self._inner.join(did, onion, params))

    async def _counted(self, call: Awaitable[Reply[T]]) -> Reply[T]:
        self._home.calls += 1
        self._network.under_way += 1
        try:
            return await call
        finally:
            self._network.under_way -= 1


def poll_body(have: Have | None, method: str = GET_STATE) -> bytes:
    """The body of a poll as our client sends it."""
    params = GetStateParams(have=have).to_object(binary=True)
    return jsonrpc.encode_call(BodyForm.CBOR, method, params, 1)


def _get_state(home: Home) -> Method:
    async def answer(caller: Caller, params: GetStateParams) -> Result:
        return PlainResult(home.state()) if params.plain else StateResult(home.state())

    return Method(GET_STATE, GetStateParams, answer, TrustLevel.OBSERVER, open_to_self=True)


@asynccontextmanager
async def http_network(folder: Path) -> AsyncIterator[HttpNetwork]:
    """A network without homes; at the end they are stopped."""
    network = HttpNetwork(folder)
    server = web.Server(network.handle)
    async with serving(web.ServerRunner(server, shutdown_timeout=0.1)) as port:
        network.port = port
        try:
            yield network
        finally:
            await network.close()
