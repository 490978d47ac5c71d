"""The homes of world.py with streams: real clients and endpoints over loopback, a middle between them."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any, cast

import aiohttp
from aiohttp import web

from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.federation.client import GET_STATE, PeerCaller, RpcPeerCaller, RpcStreamCaller
from enigma_fed.federation.subscriptions import Streaming
from enigma_fed.rpc.client import RpcClient, SigningRequest
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.rpc.methods import Caller, EncodedResult, Method, MethodTable, Result
from enigma_fed.rpc.streamclient import StreamClient
from enigma_fed.state.streaming import StreamPublisher
from enigma_fed.transports.replybounds import bound_replies
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.state import GetStateParams, Have, full_state_to_object
from tests.support.fakenetwork import Home
from tests.support.faultynetwork import secondopinion as rule
from tests.support.faultynetwork.judge import Place
from tests.support.faultynetwork.lies import Said
from tests.support.faultynetwork.middle import Middle
from tests.support.faultynetwork.world import FaultyNetwork, StateHome
from tests.support.rpcserver import OnionResolver, serving


class _States:
    """A home's states as its streams send them: what it lies about goes out there, too."""

    def __init__(self, home: StateHome) -> None:
        self._home = home

    @property
    def epoch(self) -> bytes:
        return self._home.epoch

    def newest_for(self, have: Have | None) -> Any:
        return self._told(self._home.service.newest_for(have), have)

    async def after(self, have: Have | None) -> Any:
        return await self._home.service.after(have)

    def streaming(self) -> AbstractContextManager[None]:
        return self._home.service.streaming()

    def _told(self, honest: Any, have: Have | None) -> Any:
        home = self._home
        current = home.service._publisher.current
        if current is not None:
            home.note(full_state_to_object(current, binary=True))
        if honest is None or home.lie is None:
            return honest
        return _Told(home.told_lie(None if have is None else Place(have.epoch, have.seq)), honest.seq)


class _Told(EncodedResult):
    """A lie on a stream."""

    def __init__(self, said: Said, seq: int) -> None:
        self._said = said
        self.seq = seq

    def encoded(self, *, binary: bool) -> bytes:
        return self._said.encoded(binary=binary)


class StreamedNetwork(FaultyNetwork):
    """Each home streams from the others; polls are made once a minute, and rest while a stream stands."""

    def __init__(self, seed: int, homes: int = 3) -> None:
        super().__init__(seed, homes)
        self.middle = Middle(seed, lambda: self.office.weather, self.office.counts, self._frame)
        self._resolver = OnionResolver()
        self._sessions: list[aiohttp.ClientSession] = []
        self._streams: dict[OnionAddress, StreamClient] = {}
        self._publishers: dict[OnionAddress, StreamPublisher] = {}
        self._running = AsyncExitStack()

    async def begin(self) -> None:
        runner = web.ServerRunner(web.Server(self._serve_http), shutdown_timeout=0.1)
        self.middle.port = await self._running.enter_async_context(serving(runner))
        for home in self.people:
            self._resolver.ports[str(home.onion)] = await self.middle.open(home.name)
        await super().begin()

    def caller(self, home: Home) -> PeerCaller:
        def skewed(did: Did, seconds: int) -> None:
            home.federation.note_skew(did, seconds)

        connector = aiohttp.TCPConnector(resolver=self._resolver, use_dns_cache=False)
        bound_replies(connector)
        session = aiohttp.ClientSession(connector=connector, request_class=SigningRequest)
        self._sessions.append(session)
        calls = RpcClient(home.key, session, home.clock, os.urandom, skewed=skewed)
        self._clients[home.onion] = calls
        self._streams[home.onion] = StreamClient(home.key, session, home.clock, os.urandom, calls.clocks)
        return RpcPeerCaller(calls, home.clock)

    def streaming(self, home: Home) -> Streaming | None:
        return Streaming(RpcStreamCaller(self._streams[home.onion]))

    def serve(self, home: Home) -> None:
        assert isinstance(home, StateHome)
        home.publish()

        async def answer(caller: Caller, params: GetStateParams) -> Result:
            result = await home.answer(caller, params)
            if not home.lied:
                have = None if params.have is None else Place(params.have.epoch, params.have.seq)
                told = cast(dict[str, Any], result.to_object(binary=True))
                self.judge.answer(home.did.public_key, have, told, home.newest())
            return result

        get_state = Method(GET_STATE, GetStateParams, answer, TrustLevel.OBSERVER)
        door = home.federation
        publisher = StreamPublisher(_States(home), home.clock, home.tasks, lambda did: True, door.heard)
        self._publishers[home.onion] = publisher
        self._endpoints[home.onion] = RpcEndpoint(
            home.key, MethodTable((get_state,)), door, home.clock, os.urandom, publisher=publisher
        )

    def cut(self, home: Home, did: Did) -> None:
        super().cut(home, did)
        self._streams[home.onion].cut(did)

    def ended(self, home: StateHome) -> None:
        self._publishers[home.onion].close()
        self.middle.cut(home.name)

    @property
    def busy(self) -> bool:
        return super().busy or self.middle.busy

    async def close(self) -> None:
        await super().close()
        for session in self._sessions:
            await session.close()
        await self.middle.close()
        await self._running.aclose()

    async def _serve_http(self, request: web.BaseRequest) -> web.StreamResponse:
        home = self.homes[OnionAddress.parse(request.host)]
        assert isinstance(home, StateHome)
        if not home.up:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        counted = request.method == "POST"
        self.office.under_way += counted
        try:
            return await self._endpoints[home.onion].handle(request)
        finally:
            self.office.under_way -= counted

    def _frame(self, name: str, have: Place | None, content: bytes) -> Place:
        """What a home sent on a stream."""
        home = next(home for home in self.people if home.name == name)
        if home.lied:
            return have or Place(bytes(8), 0)
        return self.judge.answer(home.did.public_key, have, rule.read(content), None)
