"""What peers answer to our polls, over HTTP: whatever breaks a bound is refused by its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.base.errors import StateRefused, UnsignedReply
from enigma_fed.federation.client import RpcPeerCaller
from enigma_fed.state import receiving
from enigma_fed.wire import cbor, httpsig, jsonrpc, statedelta
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.state import Have, StateAnswer, Unchanged, full_state_to_object
from tests.state.test_receiving import HELD, NEXT, delta
from tests.support.members import NOW, member
from tests.support.rpcserver import Pair, serving, wire
from tests.support.signedcalls import onion

FULL: dict[str, Any] = full_state_to_object(HELD, binary=True)
STATE: dict[str, Any] = FULL["state"]
APP: dict[str, Any] = {"id": "x", "status": "running", "version": None}
DEEP: Any = b"\x81" * (limits.CBOR_DEPTH + 1) + b"\x00"


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with wire() as wires:
        yield Pair(wires)


async def polled(pair: Pair, body: bytes, have: Have | None) -> StateAnswer:
    """Poll a peer that answers with this body, signed."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        fields = httpsig.sign_reply(
            pair.peer.sign,
            keyid=pair.peer.did.url,
            status=200,
            content_type=BodyForm.CBOR.value,
            body=body,
            request_signature=request.headers["Signature"],
            created=NOW,
        )
        return web.Response(body=body, headers=fields)

    node = member(2, did=pair.peer.did, onion=onion(2))
    async with serving(web.ServerRunner(web.Server(answer))) as port:
        pair.listen(port)
        return (await RpcPeerCaller(pair.client, pair.clock).get_state(node, have)).result


def result(encoded: bytes) -> bytes:
    """The body of a reply with this result."""
    return jsonrpc.encode_result(BodyForm.CBOR, 1, encoded)


@pytest.mark.parametrize("answer", [HELD, delta(HELD, NEXT), Unchanged()], ids=["full", "delta", "unchanged"])
async def test_each_answer_is_read(pair: Pair, answer: StateAnswer) -> None:
    members = FULL if answer is HELD else answer.to_object(binary=True)  # type: ignore[union-attr]
    assert await polled(pair, result(cbor.encode(members)), Have(HELD.epoch, 5)) == answer


@pytest.mark.parametrize(
    "encoded",
    [
        DEEP,
        b"\x9f" * 9,
        cbor.encode([0] * limits.BODY_ITEMS),
        cbor.encode({**FULL, "state": {**STATE, "apps": [{**APP, "id": f"{n:04}"} for n in range(1024)]}}),
        cbor.encode({**FULL, "state": {**STATE, "cpu_usage_percent": -1}}),
        cbor.encode({**FULL, "state": {**STATE, "cpu_usage_percent": 1e9}}),
        cbor.encode({**FULL, "state": {**STATE, "mem_used_bytes": -1024}}),
        cbor.encode({**FULL, "state": {**STATE, "uptime_secs": -1}}),
        cbor.encode({**FULL, "state": {**STATE, "node_name": "\x1b[2J"}}),
        cbor.encode({**FULL, "state": {**STATE, "apps": [{**APP, "id": "x" * 129}]}}),
        cbor.encode({"delta": DEEP, "sig": bytes(64)}),
        cbor.encode({"delta": b"\x00" * (limits.BODY_ITEMS + 1), "sig": bytes(64)}),
        cbor.encode({"delta": statedelta.encode(delta(HELD, NEXT).delta), "sig": b""}),
        cbor.encode({"delta": cbor.encode({0: 5, 1: 6, 2: 7, 3: {2: -1}}), "sig": bytes(64)}),
        cbor.encode({"delta": cbor.encode({0: 5, 1: 6, 2: 7, 3: {0: "\u202e"}}), "sig": bytes(64)}),
    ],
    ids=lambda encoded: encoded[:20].hex(),
)
async def test_invariant_7_an_answer_that_passes_a_bound_is_malformed(pair: Pair, encoded: bytes) -> None:
    with pytest.raises(StateRefused) as caught:
        await polled(pair, result(encoded), Have(HELD.epoch, 5))
    assert caught.value.reason == receiving.Reason.MALFORMED


async def test_invariant_7_a_body_that_is_too_large_proves_nothing(pair: Pair) -> None:
    with pytest.raises(UnsignedReply):
        await polled(pair, result(cbor.encode(b"x" * limits.REPLY_BYTES)), None)
