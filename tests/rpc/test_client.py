"""Calling a peer over a real loopback server: what is believed, what is tried again, what is not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable, RefusedByPeer, UnsignedReply, WireError
from enigma_fed.base.ids import OnionAddress
from enigma_fed.rpc.client import Reply, RpcClient
from enigma_fed.rpc.httpreply import HttpReply
from enigma_fed.wire import jsonrpc, structured
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.records import TrustLevel
from tests.support.forgedreplies import (
    RESULT,
    another_body,
    another_key,
    another_request,
    another_status,
    compressed,
    redirect,
    removed,
    reply_by,
    response,
    signed_twice,
    text,
    too_large,
    unsigned_result,
)
from tests.support.rpcserver import Pair, endpoint, raw_server, serving, wire
from tests.support.signedcalls import FakeDoorkeeper, key, onion

A, B, C = key(1), key(2), key(3)
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with wire() as wires:
        made = Pair(wires)
        async with serving(web.ServerRunner(web.Server(made.noting))) as port:
            made.listen(port)
            yield made


@pytest.mark.parametrize("form", list(BodyForm))
async def test_a_signed_result_is_returned(pair: Pair, form: BodyForm) -> None:
    reply = await pair.call(form=form)
    assert reply == Reply({"x": 1}, 0.0, 0)


async def test_the_peers_skew_is_reported(pair: Pair) -> None:
    pair.peer_clock.step_wall(20)
    assert (await pair.call()).skew_s == 20


async def test_requests_tell_nothing_about_this_program(pair: Pair) -> None:
    await pair.call()
    assert set(pair.requests[0]) == {
        "Host",
        "Content-Type",
        "Content-Length",
        "Content-Digest",
        "Federation-Audience",
        "Signature-Input",
        "Signature",
    }


async def test_a_challenge_is_answered_once_with_the_same_nonce(pair: Pair) -> None:
    """A clock that is an hour off still gets through, and both owners can be told."""
    pair.clock.step_wall(-3600)
    assert (await pair.call()).skew_s == 3600
    first, second = pair.requests
    assert "Federation-Challenge" not in first
    assert "federation-challenge" in second["Signature-Input"]
    inputs = [structured.parse_inner_list(r["Signature-Input"], "fed") for r in pair.requests]
    assert inputs[0].parameters["nonce"] == inputs[1].parameters["nonce"]
    assert first["Content-Digest"] == second["Content-Digest"]
    assert pair.log == ["member {'x': 1}"]


async def test_install_goes_through_its_challenge_and_is_refused_there(pair: Pair) -> None:
    pair.doorkeeper.trust[A.did] = TrustLevel.TRUSTED
    with pytest.raises(RefusedByPeer, match="no app policy") as refused:
        await pair.call("package.install")
    assert refused.value.code == "refused"
    assert len(pair.requests) == 2


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda keeper: keeper.trust.clear(), "unknown-peer"),
        (lambda keeper: keeper.removed.add(A.did), "removed"),
        (lambda keeper: keeper.trust.update({A.did: TrustLevel.UNTRUSTED}), "not-allowed"),
    ],
)
async def test_a_signed_error_is_a_refusal(
    pair: Pair, prepare: Callable[[FakeDoorkeeper], None], code: str
) -> None:
    prepare(pair.doorkeeper)
    with pytest.raises(RefusedByPeer) as refused:
        await pair.call()
    assert refused.value.code == code


async def test_a_result_in_another_format_is_no_result(pair: Pair) -> None:
    def read(obj: object) -> None:
        raise WireError("not that")

    with pytest.raises(PeerUnreachable, match="breaks the format: not that"):
        await pair.call(read=read)


async def answering(pair: Pair, handle: Handler) -> Reply[Any]:
    """The call's outcome when a server behind B's address answers by `handle`."""
    async with serving(web.ServerRunner(web.Server(handle))) as port:
        pair.listen(port)
        return await pair.call()


@pytest.mark.parametrize(
    ("handle", "claimed"),
    [
        (unsigned_result, ""),
        (another_key, ""),
        (another_request, ""),
        (another_body, ""),
        (another_status, ""),
        (signed_twice, ""),
        (redirect, ""),
        (too_large, ""),
        (compressed, ""),
        (text, ""),
        (removed, "removed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_invariant_11_no_unsigned_reply_changes_anything(
    pair: Pair, handle: Handler, claimed: str
) -> None:
    """Results and refusals come out of a call only under the peer's signature over this very exchange."""
    with pytest.raises(UnsignedReply) as unsigned:
        await answering(pair, handle)
    assert unsigned.value.claimed_code == claimed


@pytest.mark.parametrize(("size", "claimed"), [(0, "removed"), (1, "")])
async def test_invariant_7_an_unsigned_reply_is_read_up_to_4_kib(
    pair: Pair, size: int, claimed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By nobody, by another, or for another body: no more than an error is decoded."""
    decoded: list[int] = []
    decode = jsonrpc.decode_outcome

    def noting(form: BodyForm, body: bytes, call_id: int) -> jsonrpc.Outcome:
        decoded.append(len(body))
        return decode(form, body, call_id)

    monkeypatch.setattr(jsonrpc, "decode_outcome", noting)
    error = b'{"id":null,"error":{"code":-32022,"message":"","data":{"code":"removed"}}}'
    body = error.ljust(limits.UNSIGNED_REPLY_BYTES + size)

    async def unsigned(request: web.BaseRequest) -> web.Response:
        return response(body)

    async def others(request: web.BaseRequest) -> web.Response:
        return reply_by(C, request.headers["Signature"], body)

    async def for_another_body(request: web.BaseRequest) -> web.Response:
        reply = reply_by(B, request.headers["Signature"], RESULT)
        reply.body = body
        return reply

    for handle in (unsigned, others, for_another_body):
        with pytest.raises(UnsignedReply) as caught:
            await answering(pair, handle)
        assert caught.value.claimed_code == claimed
    assert decoded == ([] if size else [limits.UNSIGNED_REPLY_BYTES] * 3)


async def test_invariant_7_a_signed_reply_of_too_many_values_breaks_the_format(pair: Pair) -> None:
    async def bomb(request: web.BaseRequest) -> web.Response:
        values = b"{}," * limits.BODY_ITEMS
        return reply_by(B, request.headers["Signature"], b'{"id":1,"result":[' + values + b"1]}")

    with pytest.raises(PeerUnreachable, match="breaks the format"):
        await answering(pair, bomb)


async def test_invariant_7_a_call_says_how_large_its_reply_may_be(pair: Pair) -> None:
    size = len('{"jsonrpc":"2.0","id":1,"result":{"x":1}}')
    assert (await pair.call(reply_limit=size)).result == {"x": 1}
    with pytest.raises(UnsignedReply):
        await pair.call(reply_limit=size - 1)


async def test_invariant_11_a_signed_reply_is_good_for_one_request(pair: Pair) -> None:
    """The genuine answer to an earlier, equal call is no answer to this one."""
    kept: list[HttpReply] = []

    async def replaying(request: web.BaseRequest) -> web.StreamResponse:
        if not kept:
            reply = await pair.endpoint.handle(request)
            assert isinstance(reply, HttpReply)
            kept.append(reply)
            return reply
        return web.Response(body=kept[0].body, headers=kept[0].headers)

    async with serving(web.ServerRunner(web.Server(replaying))) as port:
        pair.listen(port)
        assert (await pair.call()).result == {"x": 1}
        with pytest.raises(UnsignedReply):
            await pair.call()


async def test_an_unsigned_challenge_costs_one_retry(pair: Pair) -> None:
    seen: list[str] = []

    async def challenging(request: web.BaseRequest) -> web.Response:
        seen.append(request.headers.get("Federation-Challenge", ""))
        data = {"code": "stale", "challenge": "endless"}
        body = json.dumps({"id": None, "error": {"code": -32004, "message": "", "data": data}})
        return response(body.encode(), 401)

    with pytest.raises(UnsignedReply) as unsigned:
        await answering(pair, challenging)
    assert unsigned.value.claimed_code == "stale"
    assert seen == ["", "endless"]


async def test_a_challenge_that_is_none_is_not_sent_back(pair: Pair) -> None:
    async def splitting(request: web.BaseRequest) -> web.Response:
        assert "Federation-Challenge" not in request.headers
        data = {"code": "stale", "challenge": "a\r\nHost: b"}
        body = json.dumps({"id": None, "error": {"code": -32004, "message": "", "data": data}})
        return reply_by(B, request.headers["Signature"], body.encode(), 401)

    with pytest.raises(RefusedByPeer) as refused:
        await answering(pair, splitting)
    assert refused.value.code == "stale"


async def test_a_refusals_words_are_cleaned(pair: Pair) -> None:
    async def rude(request: web.BaseRequest) -> web.Response:
        message = "\x1b[2J" + "long " * 1000
        body = json.dumps({"id": 1, "error": {"code": 1, "message": message, "data": {"code": "rude"}}})
        return reply_by(B, request.headers["Signature"], body.encode())

    with pytest.raises(RefusedByPeer) as refused:
        await answering(pair, rude)
    assert refused.value.code == "refused", "no word that this program could mistake for its own"
    assert refused.value.detail.startswith("[2J")
    assert len(refused.value.detail) <= 200


async def test_a_refusal_is_an_answer_and_no_reason_for_another_circuit(pair: Pair) -> None:
    lost: list[OnionAddress] = []
    pair.client._unanswered = lost.append
    await pair.call()
    pair.doorkeeper.trust.clear()
    with pytest.raises(RefusedByPeer):
        await pair.call()
    assert lost == []


async def test_nobody_there_is_unreachable_in_plain_words(pair: Pair) -> None:
    lost: list[OnionAddress] = []
    pair.client._unanswered = lost.append
    async with raw_server(lambda reader, writer: None) as port:
        pass
    pair.listen(port)
    with pytest.raises(PeerUnreachable, match="no connection could be made") as failed:
        await pair.call()
    assert "tried again by itself" in failed.value.hint
    assert lost == [onion(2)]


async def test_connection_errors_are_put_into_words_by_who_knows_the_transport(pair: Pair) -> None:
    pair.client = RpcClient(A, pair.wires.session, pair.clock, bytes, lambda error: "in Tor's words")
    pair.wires.resolver.ports.clear()
    with pytest.raises(PeerUnreachable, match="in Tor's words"):
        await pair.call()


async def test_a_silent_peer_is_given_up(pair: Pair) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with raw_server(silent) as port:
        pair.listen(port)
        with pytest.raises(PeerUnreachable, match=r"no answer within 0 seconds.* tried again by itself"):
            await pair.call(timeout=0.05)


async def test_invariant_6_cut_ends_the_calls_to_a_peer(pair: Pair) -> None:
    waits = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waits.set()
        await reader.read()
        writer.close()

    async with raw_server(silent) as port:
        pair.listen(port)
        call = asyncio.create_task(pair.call())
        await waits.wait()
        pair.client.cut(C.did)
        pair.client.cut(B.did)
        with pytest.raises(PeerUnreachable, match=r"removed here$"):
            await call


async def test_the_challenge_window_of_a_fresh_peer_costs_one_round_trip(pair: Pair) -> None:
    fresh = endpoint(B, pair.doorkeeper, pair.peer_clock, pair.log)
    assert (await answering(pair, fresh.handle)).result == {"x": 1}
    assert fresh.statistics == {"stale": 1, "ok": 1}
