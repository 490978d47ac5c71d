"""What a caller hears of its peers' clocks."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from multidict import CIMultiDict

from enigma_fed.base.errors import RefusedByPeer, UnsignedReply
from enigma_fed.base.ids import Did
from enigma_fed.rpc.client import RpcClient
from enigma_fed.wire.jsonrpc import BodyForm, decode_outcome
from tests.support import forgedreplies
from tests.support.rpcserver import Pair, serving, wire
from tests.support.signedcalls import call_body, key, onion

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


def created(fields: CIMultiDict[str]) -> int:
    found = re.search(r";created=(\d+)", fields["Signature-Input"])
    assert found
    return int(found[1])


async def played(pair: Pair, number: int) -> str:
    """The word that B answers to the request of that number when it is sent once more."""
    body = call_body("federation.get-state", {"x": 1})
    outcome = decode_outcome(
        BodyForm.JSON, (await pair.wires.post(onion(2), body, pair.requests[number])).body, 1
    )
    return outcome.error or "passes"


async def test_invariant_1_who_heard_that_its_clock_is_ahead_signs_nothing_for_a_time_to_come(
    pair: Pair,
) -> None:
    """Not even a restart of the receiver, which forgets who ran ahead, makes it fresh once more."""
    pair.clock.step_wall(3600)
    await pair.call()
    assert len(pair.requests) == 2, "the first time it is challenged"
    for clock in (pair.clock, pair.peer_clock):
        clock.advance(3700)
    pair.clock.step_wall(3600)
    await pair.call()
    assert len(pair.requests) == 3, "then not, however its clock was set since"
    assert created(pair.requests[2]) == pair.peer_clock.wall()
    pair.restart()
    for _ in range(2 * 3600 // 60):
        pair.peer_clock.advance(60)
        assert await played(pair, 2) == "stale"


async def test_invariant_1_an_answer_to_a_challenge_is_never_signed_for_an_earlier_time(pair: Pair) -> None:
    """By its time the receiver knows how long the first try, which has the same nonce, must not pass."""
    pair.clock.step_wall(3600)
    pair.on_request = lambda: pair.clock.step_wall(-3600) if len(pair.requests) == 1 else None
    await pair.call()
    first, again = pair.requests
    assert created(first) <= created(again)
    for _ in range(3700 // 60):
        pair.peer_clock.advance(60)
        assert await played(pair, 0) == "stale"


async def test_a_clock_that_is_behind_the_peers_signs_its_own_time(pair: Pair) -> None:
    pair.clock.step_wall(-50)
    await pair.call()
    await pair.call()
    assert [created(fields) for fields in pair.requests] == [pair.clock.wall()] * 2
