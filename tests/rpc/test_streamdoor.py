"""The handshake of a stream over real sockets, and who gets in (PROTOCOL section 3.1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.connector import Connection
from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.identity.signing import verify
from enigma_fed.rpc.endpoint import RpcEndpoint
from enigma_fed.wire import httpsig, streamsig, websocket
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.state import Have
from enigma_fed.wire.stream import encode_ack
from tests.support.rawhttp import Caller, signed
from tests.support.rpcserver import serving
from tests.support.signedcalls import fresh_nonce, key, methods
from tests.support.streamcalls import stream_fields
from tests.support.streams import EPOCH, StreamServer, Subscriber, framed, publishing

A, B, C, STRANGER, GONE = key(1), key(2), key(3), key(4), key(5)


@pytest.fixture
async def server() -> AsyncIterator[StreamServer]:
    async with publishing(StreamServer()) as made:
        yield made


def word(subscriber: Subscriber) -> str:
    """The word of the error; its id is null."""
    body = json.loads(subscriber.body)
    assert body["id"] is None
    return str(body["error"]["data"]["code"])


def is_signed(subscriber: Subscriber, request: CIMultiDict[str]) -> bool:
    """Whether the answer is the publisher's word on this very request."""
    if "Signature" not in subscriber.head:
        return False
    asked = request["Signature"]
    if subscriber.status == 101:
        reply = streamsig.read_opening(subscriber.head, request_signature=asked).signed
    else:
        reply = httpsig.read_reply(
            subscriber.head,
            status=subscriber.status,
            content_type="application/json",
            request_signature=asked,
        )
    return verify(B.did.public_key, reply.base, reply.signature)


async def test_a_member_gets_a_signed_101_and_the_state(server: StreamServer) -> None:
    fields = server.fields()
    subscriber = await Subscriber.asking(server.port, framed(fields))
    assert subscriber.status == 101
    assert is_signed(subscriber, fields)
    assert subscriber.head["Federation-Epoch"] == EPOCH.hex()
    assert subscriber.head["Sec-WebSocket-Accept"] == websocket.accept_key(fields["Sec-WebSocket-Key"])
    assert subscriber.head["Server"] == "enigma-fed"
    assert not {"Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol"} & subscriber.head.keys()
    assert await subscriber.state() == (None, 1)
    assert server.doorkeeper.log == ["heard", "admit /rpc/v1/stream"]
    subscriber.close()
    await server.until_ended(lost=1)


async def test_the_librarys_client_is_served(server: StreamServer) -> None:
    """With extensions and subprotocols offered, which are not taken."""

    class Signing(aiohttp.ClientRequest):
        async def send(self, conn: Connection) -> aiohttp.ClientResponse:
            key = self.headers["Sec-WebSocket-Key"]
            self.headers.update(stream_fields(A, B.did, server.clock.wall(), key=key))
            return await super().send(conn)

    async with aiohttp.ClientSession(request_class=Signing) as session:
        url = f"http://127.0.0.1:{server.port}/rpc/v1/stream"
        async with session.ws_connect(url, compress=15, protocols=["x"]) as stream:
            assert stream.protocol is None
            assert (await stream.receive()).type is aiohttp.WSMsgType.BINARY
            await stream.send_bytes(encode_ack(1))
            await stream.ping()
            server.states.publish()
            assert (await stream.receive()).type is aiohttp.WSMsgType.BINARY
            await stream.close()
            assert stream.close_code == 1000
    await server.until_ended(done=1)


async def test_going_on_from_a_state(server: StreamServer) -> None:
    server.states.publish()
    subscriber = await Subscriber.to(server, have=Have(EPOCH, 1))
    assert await subscriber.state() == (1, 2)
    subscriber.close()
    newest = await Subscriber.to(server, have=Have(EPOCH, 2))
    await newest.ping()
    server.states.publish()
    assert await newest.state() == (2, 3), "no first frame: it had the newest"
    newest.close()
    foreign = await Subscriber.to(server, have=Have(bytes(8), 2))
    assert await foreign.state() == (None, 3)
    foreign.close()


@pytest.mark.parametrize(
    ("sender", "answer", "status"),
    [(STRANGER, "unknown-peer", 200), (GONE, "removed", 200), (B, "not-allowed", 200)],
    ids=["a stranger", "a removed peer", "the node itself"],
)
async def test_who_may_not_is_told_so_under_signature(
    server: StreamServer, sender: object, answer: str, status: int
) -> None:
    fields = server.fields({STRANGER: STRANGER, GONE: GONE, B: B}[sender])  # type: ignore[index]
    subscriber = await Subscriber.asking(server.port, framed(fields))
    assert (subscriber.status, word(subscriber)) == (status, answer)
    assert is_signed(subscriber, fields)
    assert not server.publisher.statistics
    subscriber.close()


async def test_an_untrusted_member_is_told_so(server: StreamServer) -> None:
    server.doorkeeper.trust[A.did] = TrustLevel.UNTRUSTED
    fields = server.fields()
    subscriber = await Subscriber.asking(server.port, framed(fields))
    assert word(subscriber) == "not-allowed"
    assert is_signed(subscriber, fields)
    subscriber.close()


async def test_a_challenge_comes_in_the_body_and_opens_once(server: StreamServer) -> None:
    nonce, late = fresh_nonce(), server.clock.wall() - 3600
    first = stream_fields(A, B.did, late, nonce=nonce)
    subscriber = await Subscriber.asking(server.port, framed(first))
    assert (subscriber.status, word(subscriber)) == (401, "stale")
    assert is_signed(subscriber, first)
    challenge = json.loads(subscriber.body)["error"]["data"]["challenge"]
    answered = stream_fields(A, B.did, late, nonce=nonce, challenge=challenge)
    subscriber.send(framed(answered))
    await subscriber.read_head()
    assert subscriber.status == 101, "on the same connection"
    assert await subscriber.state() == (None, 1)
    again = await Subscriber.asking(server.port, framed(answered))
    assert (again.status, word(again)) == (401, "replayed")
    for each in (subscriber, again):
        each.close()


MALFORMED = {
    "no upgrade": ("Upgrade", None),
    "an upgrade to something else": ("Upgrade", "h2c"),
    "no connection": ("Connection", None),
    "a connection that stays": ("Connection", "keep-alive"),
    "no version": ("Sec-WebSocket-Version", None),
    "an older version": ("Sec-WebSocket-Version", "8"),
    "no key": ("Sec-WebSocket-Key", None),
    "a key that is too short": ("Sec-WebSocket-Key", "AAAA"),
    "a body": ("Content-Length", "0"),
    "chunks": ("Transfer-Encoding", "chunked"),
    "a challenge that is not covered": ("Federation-Challenge", "x"),
    "a state that is not covered": ("Federation-Have", "0001020304050607:1"),
}


@pytest.mark.parametrize("case", MALFORMED)
async def test_a_handshake_that_is_none_is_malformed_and_unsigned(server: StreamServer, case: str) -> None:
    fields, (name, value) = server.fields(), MALFORMED[case]
    fields.popall(name, None)
    if value is not None:
        fields[name] = value
    subscriber = await Subscriber.asking(server.port, framed(fields))
    assert (subscriber.status, word(subscriber)) == (400, "malformed")
    assert not is_signed(subscriber, fields)
    subscriber.close()


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/rpc/v1/stream", "POST", 405),
        ("/rpc/v1/stream?", "GET", 400),
        ("/rpc/v1/stream?a=1", "GET", 400),
        ("/rpc/v1/stream/", "GET", 404),
        ("/rpc/v1/streams", "GET", 404),
        ("/rpc/v1", "GET", 405),
    ],
)
async def test_the_target_is_exact(server: StreamServer, target: str, method: str, status: int) -> None:
    subscriber = await Subscriber.asking(server.port, framed(server.fields(), target, method))
    assert subscriber.status == status
    subscriber.close()


async def test_http_1_0_opens_none(server: StreamServer) -> None:
    request = framed(server.fields()).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    subscriber = await Subscriber.asking(server.port, request)
    assert word(subscriber) == "malformed"
    subscriber.close()


async def test_without_a_publisher_there_is_no_such_target() -> None:
    made = StreamServer()
    endpoint = RpcEndpoint(made.own, methods(), made.doorkeeper, made.clock, bytes)
    async with serving(endpoint.runner()) as port:
        subscriber = await Subscriber.asking(port, framed(made.fields()))
        assert subscriber.status == 405
        subscriber.close()
    await made.tasks.close()


async def test_invariant_1_a_captured_request_opens_nothing_elsewhere_and_nothing_twice(
    server: StreamServer,
) -> None:
    fields = server.fields()
    subscriber = await Subscriber.asking(server.port, framed(fields))
    assert await subscriber.state() == (None, 1)
    again = await Subscriber.asking(server.port, framed(fields))
    assert (again.status, word(again)) == (401, "replayed")
    swapped = server.fields()
    swapped["Sec-WebSocket-Key"] = fields["Sec-WebSocket-Key"]
    other = await Subscriber.asking(server.port, framed(swapped))
    assert (other.status, word(other)) == (401, "bad-signature")
    elsewhere = await Subscriber.asking(server.port, framed(stream_fields(A, C.did, server.clock.wall())))
    assert (elsewhere.status, word(elsewhere)) == (401, "wrong-audience")
    assert server.publisher.statistics["opened"] == 1
    for each in (subscriber, again, other, elsewhere):
        each.close()


async def test_invariant_7_one_stream_too_many_is_busy_unless_it_replaces_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "STREAMS_INBOUND", 1)
    async with publishing(StreamServer()) as server:
        first = await Subscriber.to(server)
        assert await first.state() == (None, 1)
        fields = server.fields(C)
        other = await Subscriber.asking(server.port, framed(fields))
        assert (other.status, word(other)) == (200, "busy")
        assert is_signed(other, fields)
        newer = await Subscriber.to(server)
        assert await newer.state() == (None, 1)
        assert await first.ending() == 4001
        newer.close()
        await server.until_ended(replaced=1, lost=1)
        late = await Subscriber.to(server, C)
        for each in (first, other, newer, late):
            each.close()


async def test_invariant_7_a_stream_is_no_request_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUESTS_IN_FLIGHT", 1)
    async with publishing(StreamServer()) as server:
        streams = [await Subscriber.to(server, sender) for sender in (A, C)]
        caller = await Caller.tcp(server.port)
        assert (await caller.ask(signed(A, B.did, server.clock.wall()))).word == "ok"
        caller.close()
        for each in streams:
            assert await each.state() == (None, 1)
            each.close()


async def test_invariant_7_no_stream_is_evicted_for_other_connections_of_its_member(
    server: StreamServer,
) -> None:
    subscriber = await Subscriber.to(server)
    assert await subscriber.state() == (None, 1)
    callers = []
    for _ in range(limits.CONNECTIONS_PER_KEY + 3):
        callers.append(await Caller.tcp(server.port))
        assert (await callers[-1].ask(signed(A, B.did, server.clock.wall()))).word == "ok"
    assert server.endpoint.statistics["evicted"] == 4
    await subscriber.ping()
    for each in (*callers, subscriber):
        each.close()


async def test_invariant_6_a_cut_drops_the_stream_before_it_returns(server: StreamServer) -> None:
    subscriber, other = await Subscriber.to(server), await Subscriber.to(server, C)
    assert await subscriber.state() == (None, 1)
    server.endpoint.cut(A.did)
    server.states.publish()
    assert server.ended == {"cut": 1}
    assert len(server.publisher) == 1
    assert await subscriber.ending() is None, "no frame after it, not even one that says goodbye"
    assert await other.state() == (None, 1)
    assert await other.state() == (1, 2)
    for each in (subscriber, other):
        each.close()


async def test_invariant_6_a_stream_that_is_being_opened_is_cut_too(server: StreamServer) -> None:
    admitted, go = asyncio.Event(), asyncio.Event()

    async def slowly(did: object, method: str | None, trust: object) -> None:
        admitted.set()
        await go.wait()

    server.doorkeeper.admit = slowly  # type: ignore[method-assign]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(framed(server.fields()))
    await admitted.wait()
    server.endpoint.cut(A.did)
    go.set()
    assert await reader.read() == b""
    assert len(server.publisher) == 0
    writer.close()
