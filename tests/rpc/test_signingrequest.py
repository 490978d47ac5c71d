"""Requests are signed when their connection stands, and again when a kept one turns out to be closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict

from enigma_fed.base.errors import PeerUnreachable
from enigma_fed.rpc.client import RpcClient
from enigma_fed.wire import structured
from tests.support.rpcserver import Pair, raw_server, serving, wire
from tests.support.signedcalls import Plain, key, onion

A, B = key(1), key(2)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with wire() as wires:
        made = Pair(wires)
        async with serving(web.ServerRunner(web.Server(made.noting))) as port:
            made.listen(port)
            yield made


async def test_the_signature_is_made_after_the_connection_stands(pair: Pair) -> None:
    """A first circuit takes longer than a signature lives."""
    resolve = pair.wires.resolver.resolve

    async def slowly(*args: Any, **more: Any) -> Any:
        for clock in (pair.clock, pair.peer_clock):
            clock.advance(3600)
        return await resolve(*args, **more)

    pair.wires.resolver.resolve = slowly  # type: ignore[method-assign]
    await pair.call()
    assert len(pair.requests) == 1, "not challenged: it was fresh"


async def test_a_kept_connection_that_was_closed_is_replaced_once(pair: Pair) -> None:
    """The second request meets a closed connection; the third is signed afresh under the same nonce."""

    async def dropping(request: web.BaseRequest) -> web.StreamResponse:
        pair.requests.append(CIMultiDict(request.headers))
        if len(pair.requests) == 2:
            assert request.transport is not None
            request.transport.close()
            raise asyncio.CancelledError
        return await pair.endpoint.handle(request)

    async with serving(web.ServerRunner(web.Server(dropping))) as port:
        pair.listen(port)
        await pair.call()
        assert (await pair.call()).result == {"x": 1}
    inputs = [structured.parse_inner_list(r["Signature-Input"], "fed") for r in pair.requests]
    assert len(inputs) == 3
    assert inputs[1].parameters["nonce"] == inputs[2].parameters["nonce"]


async def test_a_new_connection_that_is_closed_is_not_tried_again(pair: Pair) -> None:
    count = 0

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with raw_server(close) as port:
        pair.listen(port)
        with pytest.raises(PeerUnreachable):
            await pair.call()
    assert count == 1


async def test_a_session_of_another_request_class_is_a_mistake(pair: Pair) -> None:
    async with aiohttp.ClientSession() as session:
        client = RpcClient(A, session, pair.clock, bytes)
        with pytest.raises(TypeError):
            await client.call(B.did, onion(2), "m", Plain(), lambda obj: obj)
