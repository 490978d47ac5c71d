"""`POST /rpc/v1` over a real loopback server: statuses, signed replies, bounds, cutting off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import Unsigned
from enigma_fed.identity.signing import verify
from enigma_fed.wire import contentdigest, httpsig
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.records import TrustLevel
from tests.support.rpcserver import Reply, Server, serving, wire
from tests.support.signedcalls import call_body, fresh_nonce, key, onion, signed_fields

A, B, STRANGER, GONE = key(1), key(2), key(4), key(5)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with wire() as wires:
        made = Server(wires)
        async with serving(made.endpoint.runner()) as port:
            wires.resolver.ports[str(onion(2))] = port
            yield made


def is_signed(fields: CIMultiDict[str], reply: Reply, form: BodyForm = BodyForm.JSON) -> bool:
    """Whether the reply is B's and bound to the request with these fields."""
    try:
        signed = httpsig.read_reply(
            reply.headers, status=reply.status, content_type=form.value, request_signature=fields["Signature"]
        )
    except Unsigned:
        return False
    assert signed.keyid == B.did.url
    assert contentdigest.matches(signed.digest, reply.body)
    return verify(B.did.public_key, signed.base, signed.signature)


def word(reply: Reply) -> str:
    return str(json.loads(reply.body)["error"]["data"]["code"])


async def test_a_result_is_signed(server: Server) -> None:
    fields, reply = await server.call(params={"x": 1})
    assert (reply.status, json.loads(reply.body)) == (200, {"jsonrpc": "2.0", "id": 1, "result": {"x": 1}})
    assert is_signed(fields, reply)
    assert server.log == ["member {'x': 1}"]
    assert server.doorkeeper.log == ["heard", "admit federation.get-state"]
    assert server.endpoint.statistics == {"ok": 1}


async def test_cbor_is_answered_in_cbor(server: Server) -> None:
    fields, reply = await server.call(form=BodyForm.CBOR, params={"x": b"\1"})
    assert BodyForm.CBOR.decode(reply.body, 1000) == {"jsonrpc": "2.0", "id": 1, "result": {"x": b"\1"}}
    assert is_signed(fields, reply, BodyForm.CBOR)


async def test_errors_after_the_signature_are_signed_and_http_200(server: Server) -> None:
    cases: tuple[tuple[str, dict[str, object] | None, str], ...] = (
        ("test.trusted", None, "not-allowed"),
        ("no.such", None, "method-not-found"),
        ("federation.get-state", {"wrong": 1}, "invalid-params"),
    )
    for method, params, answer in cases:
        fields, reply = await server.call(method, params)
        assert (reply.status, word(reply), is_signed(fields, reply)) == (200, answer, True)


@pytest.mark.parametrize(("sender", "answer"), [(STRANGER, "unknown-peer"), (GONE, "removed")])
async def test_who_is_no_member_is_told_so_in_a_signed_reply(
    server: Server, sender: Any, answer: str
) -> None:
    fields, reply = await server.call(sender=sender)
    assert (reply.status, word(reply), is_signed(fields, reply)) == (200, answer, True)
    assert server.log == []


async def test_errors_before_the_signature_are_unsigned_and_401(server: Server) -> None:
    body = call_body()
    fields = signed_fields(A, A.did, body, server.clock.wall())
    reply = await server.send(fields, body)
    assert (reply.status, word(reply)) == (401, "wrong-audience")
    assert json.loads(reply.body)["id"] is None
    assert reply.headers["WWW-Authenticate"] == "EnigmaFed"
    assert not is_signed(fields, reply)


async def test_a_replay_is_401_and_signed(server: Server) -> None:
    body = call_body()
    fields = signed_fields(A, B.did, body, server.clock.wall())
    await server.send(fields, body)
    reply = await server.send(fields, body)
    assert (reply.status, word(reply), is_signed(fields, reply)) == (401, "replayed", True)
    assert reply.headers["WWW-Authenticate"] == "EnigmaFed"
    assert len(server.log) == 1


@pytest.mark.parametrize(("sender", "signed"), [(A, True), (STRANGER, False)])
async def test_a_challenge_is_signed_for_a_known_did(server: Server, sender: Any, signed: bool) -> None:
    body = call_body()
    fields = signed_fields(sender, B.did, body, server.clock.wall() - 999)
    reply = await server.send(fields, body)
    assert (reply.status, word(reply), is_signed(fields, reply)) == (401, "stale", signed)
    assert httpsig.is_challenge(json.loads(reply.body)["error"]["data"]["challenge"])


async def test_install_is_challenged_and_then_refused_for_want_of_a_policy(server: Server) -> None:
    server.doorkeeper.trust[A.did] = TrustLevel.TRUSTED
    body, nonce = call_body("package.install"), fresh_nonce()
    fields = signed_fields(A, B.did, body, server.clock.wall(), nonce=nonce)
    reply = await server.send(fields, body)
    assert (reply.status, word(reply), is_signed(fields, reply)) == (401, "stale", True)
    challenge = json.loads(reply.body)["error"]["data"]["challenge"]
    retry = signed_fields(A, B.did, body, server.clock.wall(), nonce=nonce, challenge=challenge)
    reply = await server.send(retry, body)
    assert (reply.status, word(reply)) == (200, "refused")
    assert "no app policy" in json.loads(reply.body)["error"]["message"]


async def test_the_rust_agents_call_without_jsonrpc_and_id(server: Server) -> None:
    body = b'{"method":"federation.get-state","params":{}}'
    reply = await server.send(signed_fields(A, B.did, body, server.clock.wall()), body)
    assert json.loads(reply.body) == {"jsonrpc": "2.0", "id": None, "result": {}}


@pytest.mark.parametrize("method", ["federation.get-state", "test.trusted"])
async def test_a_notification_is_answered_with_a_signed_empty_body(server: Server, method: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "method": method}).encode()
    fields = signed_fields(A, B.did, body, server.clock.wall())
    reply = await server.send(fields, body)
    assert (reply.status, reply.body, is_signed(fields, reply)) == (200, b"", True)


async def test_a_batch_is_refused(server: Server) -> None:
    body = b"[" + call_body() + b"]"
    fields = signed_fields(A, B.did, body, server.clock.wall())
    reply = await server.send(fields, body)
    assert (reply.status, word(reply), is_signed(fields, reply)) == (200, "invalid-request", True)
    assert json.loads(reply.body)["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("Content-Type", "Application/JSON"),
        ("Content-Type", None),
        ("Content-Encoding", "gzip"),
        ("Content-Encoding", "identity"),
    ],
)
async def test_other_types_and_encodings_are_415(server: Server, name: str, value: str | None) -> None:
    body = call_body()
    fields = signed_fields(A, B.did, body, server.clock.wall())
    fields.pop(name, None)
    if value is not None:
        fields[name] = value
    reply = await server.send(fields, body)
    assert (reply.status, word(reply)) == (415, "unsupported-media")
    assert reply.headers["Content-Type"] == "application/json"


async def test_too_large_is_413_before_anything_is_parsed(server: Server) -> None:
    reply = await server.send(
        CIMultiDict({"Content-Type": "application/json"}), bytes(limits.REQUEST_BYTES + 1)
    )
    assert (reply.status, word(reply)) == (413, "too-large")
    largest = b" " * (limits.REQUEST_BYTES - len(call_body())) + call_body()
    fields = signed_fields(A, B.did, largest, server.clock.wall())
    assert (await server.send(fields, largest)).status == 200


async def test_an_error_before_parsing_has_the_requests_type(server: Server) -> None:
    head = {"Content-Type": "application/cbor"}
    too_large = await server.send(CIMultiDict(head), bytes(limits.REQUEST_BYTES + 1))
    compressed = await server.send(CIMultiDict({**head, "Content-Encoding": "gzip"}), b"x")
    for reply, status in ((too_large, 413), (compressed, 415)):
        assert (reply.status, reply.headers["Content-Type"]) == (status, "application/cbor")
        BodyForm.CBOR.decode(reply.body, 1000)


async def test_too_large_in_chunks_is_413_too(server: Server) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(limits.REQUEST_BYTES // 1024 + 2):
            yield bytes(1024)

    reply = await server.send(CIMultiDict({"Content-Type": "application/json"}), endless())
    assert (reply.status, word(reply)) == (413, "too-large")


async def raw_status(port: int, request: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    status = int((await reader.readline()).split()[1])
    writer.close()
    await writer.wait_closed()
    return status


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/rpc/v1", "POST", 401),
        ("/rpc/v1?", "POST", 400),
        ("/rpc/v1?a=b", "POST", 400),
        ("/rpc/%761", "POST", 400),
        ("/rpc/v1/", "POST", 404),
        ("//rpc/v1", "POST", 404),
        ("/", "POST", 404),
        ("/rpc/v2", "POST", 404),
        ("/rpc/v1", "GET", 405),
        ("/rpc/v1", "PUT", 405),
        ("/", "GET", 404),
    ],
)
@pytest.mark.parametrize("routed", [False, True])
async def test_the_target_is_exactly_one(
    server: Server, target: str, method: str, status: int, routed: bool
) -> None:
    head = ("Host: x", "Content-Type: application/json", "Content-Length: 2", "", "{}")
    request = "\r\n".join((f"{method} {target} HTTP/1.1", *head))
    runner = aiohttp.web.AppRunner(server.endpoint.application()) if routed else server.endpoint.runner()
    async with serving(runner) as port:
        assert await raw_status(port, request.encode()) == status


async def test_a_field_that_occurs_twice_is_400(server: Server) -> None:
    port = server.wires.resolver.ports[str(onion(2))]
    body = call_body()
    fields = signed_fields(A, B.did, body, server.clock.wall())
    for name in ("Content-Type", "Content-Digest", "Federation-Audience", "Signature", "Signature-Input"):
        lines = [f"{n}: {v}" for n, v in fields.items()] + [f"{name}: {fields[name]}"]
        head = "\r\n".join(["POST /rpc/v1 HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines])
        assert await raw_status(port, head.encode() + b"\r\n\r\n" + body) == 400, name
    assert server.log == []


async def test_a_body_that_does_not_come_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "READ_TIMEOUT", 0.05)
    port = server.wires.resolver.ports[str(onion(2))]
    head = b"POST /rpc/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    assert await raw_status(port, head) == 400
