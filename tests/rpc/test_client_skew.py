"""What a caller hears of its peers' clocks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from enigma_fed.base.errors import RefusedByPeer, UnsignedReply
from enigma_fed.base.ids import Did
from enigma_fed.rpc.client import RpcClient
from tests.support import forgedreplies
from tests.support.rpcserver import Pair, serving, wire
from tests.support.signedcalls import key

A, B = key(1), key(2)
FORGED = (
    forgedreplies.unsigned_result,
    forgedreplies.another_key,
    forgedreplies.another_request,
    forgedreplies.another_body,
    forgedreplies.another_status,
)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with wire() as wires:
        made = Pair(wires)
        async with serving(web.ServerRunner(web.Server(made.noting))) as port:
            made.listen(port)
            yield made


def listening_for_skew(pair: Pair) -> list[tuple[Did, int]]:
    told: list[tuple[Did, int]] = []
    pair.client = RpcClient(
        A, pair.wires.session, pair.clock, os.urandom, skewed=lambda did, seconds: told.append((did, seconds))
    )
    return told


async def test_every_signed_answer_tells_the_skew(pair: Pair) -> None:
    """Refusals and challenges too: whoever is refused for its clock has to hear it."""
    told = listening_for_skew(pair)
    pair.peer_clock.step_wall(3600)
    await pair.call()
    assert told == [(B.did, 3600)] * 2, "the challenge, and the answer to the retry"
    pair.doorkeeper.trust.clear()
    with pytest.raises(RefusedByPeer):
        await pair.call()
    assert told[2:] == [(B.did, 3600)], "the challenge to a stranger is not signed, the refusal is"


async def test_invariant_11_an_answer_that_is_not_bound_tells_no_skew(pair: Pair) -> None:
    told = listening_for_skew(pair)
    for handle in FORGED:
        async with serving(web.ServerRunner(web.Server(handle))) as port:
            pair.listen(port)
            with pytest.raises(UnsignedReply):
                await pair.call()
    assert told == []
