"""What a registry answers to bad input, sent byte by byte over connections of the test's own.

docs/REGISTRY.md sections 3, 5 and 8.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from enigma_fed.base import limits
from enigma_fed.registry.doors import Door
from enigma_fed.registry.settings import PowSettings, RateLimitSettings
from tests.support.rawregistry import JSON, Reply, exchange, post, resolve_body
from tests.support.registryserver import RegistryCaller, registry, settings
from tests.support.registryusers import User

ALICE: Final = User("alice")
END: Final = b"\r\n\r\n"
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
NONE_LEFT: Final = RateLimitSettings(per_ip_rps=0.01, burst=1)


@pytest.fixture
async def caller() -> AsyncIterator[RegistryCaller]:
    async with registry(settings(nodes_open=True)) as made:
        yield made


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def raw_post(fields: bytes, body: bytes = b"") -> bytes:
    """A POST that says of its body what it likes."""
    return b"POST /resolve HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n" + body


WELL = resolve_body(ALICE.id)


@pytest.mark.parametrize(
    "request_bytes",
    [
        raw_post(JSON + b"Content-Length: %d\r\n" % len(WELL) + CHUNKED, chunked(WELL)),
        raw_post(JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n", b"{}"),
        raw_post(JSON + b"Content-Length: +2\r\n", b"{}"),
        raw_post(JSON + b"Content-Length: -1\r\n", b"{}"),
        raw_post(JSON + b"Content-Length: 99999999999999999999999\r\n", b"{}"),
        raw_post(JSON + b"Transfer-Encoding: chunked, identity\r\n", chunked(WELL)),
        raw_post(JSON + CHUNKED, b"ffffffffffffffffff\r\n{"),
        raw_post(JSON + JSON + b"Content-Length: 2\r\n", b"{}"),
        b"GET /nodes HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (limits.HEADER_BYTES + 1) + END,
        b"GET /" + b"a" * (limits.HEADER_BYTES + 1) + b" HTTP/1.1\r\nHost: x" + END,
        b"GET /nodes HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * (limits.HEADERS + 1) + b"\r\n",
        b"GET /nodes HTTP/1.1\r\nHost: x\r\nX: a\r\n b" + END,
        b"GET /nodes HTTP/1.1\r\nHost: x\r\nX: a\0b" + END,
        b"GET /nodes HTTP/1.1\nHost: x\n\n",
        b"GET /check_user/\xff\xfe HTTP/1.1\r\nHost: x" + END,
        b"GET http://[::1/nodes HTTP/1.1\r\nHost: x" + END,
        b"FETCH /nodes HTTP/1.1\r\nHost: x" + END,
        b"PRI * HTTP/2.0" + END + b"SM" + END,
    ],
    ids=[
        "length and chunks", "two lengths", "a signed length", "a negative length", "a length beyond all",
        "chunks inside", "a chunk beyond all", "two kinds", "a long field", "a long path", "many fields",
        "a folded field", "a NUL", "bare line feeds", "a path that is no text", "no URL", "no method",
        "another HTTP",
    ],
)  # fmt: skip
async def test_invariant_7_what_is_no_http_is_an_error_object_and_ends_the_connection(
    caller: RegistryCaller, request_bytes: bytes
) -> None:
    (reply,) = await exchange(caller, request_bytes, until_closed=True)
    assert reply.refusal == (400, "INVALID_INPUT", "request")


@pytest.mark.parametrize(
    ("path", "fields", "body", "refusal"),
    [
        ("/resolve", b"", b"{}", (415, "UNSUPPORTED_MEDIA_TYPE", "content-type")),
        (
            "/resolve",
            b"Content-Type: application/ld+json\r\n",
            b"{}",
            (415, "UNSUPPORTED_MEDIA_TYPE", "content-type"),
        ),
        (
            "/resolve",
            JSON + b"Content-Encoding: gzip\r\n",
            b"{}",
            (415, "UNSUPPORTED_MEDIA_TYPE", "content-encoding"),
        ),
        (
            "/resolve",
            JSON + b"Content-Encoding: identity\r\n",
            b"{}",
            (415, "UNSUPPORTED_MEDIA_TYPE", "content-encoding"),
        ),
        ("/register", JSON, b" " * (limits.REQUEST_BYTES + 1), (413, "TOO_LARGE", "body")),
        ("/resolve", JSON, b" " * 4097, (413, "TOO_LARGE", "body")),
        ("/announce", JSON, b" " * 4097, (413, "TOO_LARGE", "body")),
        ("/resolve", JSON, b"", (400, "INVALID_INPUT", "body")),
        ("/resolve", JSON, b"\xef\xbb\xbf" + WELL, (400, "INVALID_INPUT", "body")),
        ("/resolve", JSON, WELL.decode().encode("utf-16"), (400, "INVALID_INPUT", "body")),
        ("/resolve", JSON, b"\0" + WELL, (400, "INVALID_INPUT", "body")),
        ("/register", JSON, b"[" * 1000, (400, "INVALID_INPUT", "body")),
        ("/register", JSON, b"[" + b"1," * 32_000 + b"1]", (400, "INVALID_INPUT", "body")),
        ("/nowhere", JSON, b"{}", (404, "NOT_FOUND", None)),
        ("/openapi.json", JSON, b"{}", (405, "METHOD_NOT_ALLOWED", None)),
    ],
)
async def test_invariant_7_a_refusal_names_its_field_and_the_connection_goes_on(
    caller: RegistryCaller, path: str, fields: bytes, body: bytes, refusal: tuple[int, str, str | None]
) -> None:
    requests = post(path, body, fields) + b"GET /nodes HTTP/1.1\r\nHost: x" + END
    refused, after = await exchange(caller, requests, replies=2)
    assert refused.refusal == refusal
    assert (after.status, after.body) == (200, b'{"nodes":[]}')


SAID: Final = {"user_id": ALICE.id.hex, "addr": "x", "ts_ms": 1}


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ("body", '"\\ud800"'), ("user_id", f'" {"0" * 63}"'), ("user_id", "null"),
        ("user_id", '"' + "\uff10" * 64 + '"'), ("addr", '""'), ("addr", '"\\u0020"'), ("addr", "7"),
        ("addr", '"' + "a" * 257 + '"'), ("ts_ms", "0"), ("ts_ms", "-0"), ("ts_ms", "-1"), ("ts_ms", "1.0"),
        ("ts_ms", "1e3"), ("ts_ms", "18446744073709551616"), ("ts_ms", "true"), ("ts_ms", '"1"'),
        ("body", "1e400"), ("body", "NaN"), ("body", "9" * 41), ("body", '1,"addr":"y"'),
        ("body", '1,"more":1'), ("body", "[" * 20 + "]" * 20),
    ],
)  # fmt: skip
async def test_whatever_a_member_holds_the_answer_names_it(
    caller: RegistryCaller, member: str, text: str
) -> None:
    shown = "ts_ms" if member == "body" else member
    body = json.dumps({**SAID, shown: "@"}).replace('"@"', text).encode()
    (reply,) = await exchange(caller, post("/announce", body))
    assert reply.refusal == (400, "INVALID_INPUT", member)


@pytest.mark.parametrize("key", [bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"])
async def test_invariant_12_a_key_that_everybody_shares_is_refused(
    caller: RegistryCaller, key: bytes
) -> None:
    field = "requester_ephemeral_pubkey_hex"
    for path in ("/resolve", "/v1/log"):
        (reply,) = await exchange(caller, post(path, resolve_body(ALICE.id, key)))
        assert reply.refusal == (400, "INVALID_INPUT", field)


async def test_requests_that_are_sent_ahead_are_answered_in_their_order(caller: RegistryCaller) -> None:
    one = b"GET /check_user/%s HTTP/1.1\r\nHost: x" + END
    sent = [one % ALICE.id.hex.encode(), one % b"x", b"GET /nodes HTTP/1.1\r\nHost: x" + END]
    statuses = [reply.status for reply in await exchange(caller, b"".join(sent), replies=3)]
    assert statuses == [200, 400, 200]


async def test_a_body_may_come_in_chunks_and_byte_by_byte(caller: RegistryCaller) -> None:
    whole = raw_post(JSON + CHUNKED, b"".join(b"1\r\n%c\r\n" % byte for byte in WELL) + b"0\r\n\r\n")
    (reply,) = await exchange(caller, *(bytes([byte]) for byte in whole))
    assert reply.status == 200


async def test_who_asks_before_sending_a_body_is_told_to_go_on(caller: RegistryCaller) -> None:
    head = raw_post(JSON + b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(WELL))
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
    writer.write(head)
    async with asyncio.timeout(20):
        assert await reader.readuntil(END) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(WELL)
        reply = await Reply.read(reader)
    assert (reply.status, reply.json["envelope"]) == (200, None)
    writer.write(raw_post(JSON + b"Expect: 100-continue\r\nContent-Length: 999999\r\n"))
    async with asyncio.timeout(20):
        assert (await Reply.read(reader)).status == 413
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "target", [b"http://elsewhere.example/nodes", b"/%6eodes", b"/nodes?a=b", b"/nodes#x"]
)
async def test_a_route_can_be_written_otherwise(caller: RegistryCaller, target: bytes) -> None:
    (reply,) = await exchange(caller, b"GET " + target + b" HTTP/1.1\r\nHost: x" + END)
    assert (reply.status, reply.body) == (200, b'{"nodes":[]}')


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"CONNECT elsewhere.example:443", 404), (b"OPTIONS *", 404), (b"GET //nodes", 404),
        (b"GET /a/../nodes", 404), (b"TRACE /nodes", 405), (b"CONNECT /nodes", 405), (b"PUT /register", 405),
    ],
)  # fmt: skip
async def test_what_is_no_route_is_an_error_object(caller: RegistryCaller, line: bytes, status: int) -> None:
    (reply,) = await exchange(caller, line + b" HTTP/1.1\r\nHost: x" + END)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["error"]["code"] == {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}[status]


async def test_invariant_7_a_refused_request_is_answered_before_its_body_has_come() -> None:
    async with registry(settings(rate_limit=NONE_LEFT)) as caller:
        await caller.ask("GET", "/nodes")
        (reply,) = await exchange(caller, raw_post(JSON + b"Content-Length: 999\r\n"), until_closed=True)
    assert reply.refusal == (429, "RATE_LIMITED", None)
    assert int(reply.headers["retry-after"]) >= 1


async def test_invariant_7_behind_an_onion_no_body_is_read_for_work_that_was_not_done() -> None:
    async with registry(settings(rate_limit=NONE_LEFT, pow=PowSettings()), door=Door.ONION) as caller:
        while (await caller.ask("GET", "/nodes")).status == 200:
            pass
        made_up = JSON + b"x-enigma-pow: 00:1\r\nContent-Length: 999\r\n"
        (reply,) = await exchange(caller, raw_post(made_up), until_closed=True)
    assert reply.refusal == (400, "POW_REQUIRED", "x-enigma-pow")


async def test_invariant_7_an_announcement_tells_nobody_who_is_registered(
    caller: RegistryCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enigma_fed.base.registry_limits.PRESENCES_PER_CLIENT", 1)
    for user in (ALICE, User("bob")):
        await caller.register(user.identity())

    async def announced(name: str) -> tuple[Any, ...]:
        body = json.dumps({**SAID, "user_id": User(name).id.hex}).encode()
        (reply,) = await exchange(caller, post("/announce", body))
        return reply.status, reply.headers.get("retry-after"), reply.body

    assert (await announced("alice"))[0] == 200
    assert (await announced("bob"))[0] == 429
    assert await announced("bob") == await announced("nobody at all")


async def test_invariant_8_nothing_of_bad_input_shows_in_a_log_or_an_answer(
    caller: RegistryCaller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    mark = b"unmistakable"
    sent = [
        b"GET /" + mark + b" HTTP/1.1\r\nHost: x" + END,
        b"GET /check_user/" + mark + b"?" + mark + b" HTTP/1.1\r\nHost: " + mark + END,
        b"GET /nodes HTTP/1.1\r\nHost: x\r\n" + mark + b" : \xff" + END,
        mark + b" /nodes HTTP/9.9" + END,
        post("/resolve", b'{"' + mark + b'": "\\ud800"}'),
        post("/announce", json.dumps({**SAID, "addr": mark.decode() * 99}).encode()),
        post("/nodes", b'{"nodes":[{"base_url":"http://[' + mark + b'"}]}'),
        post("/resolve", b"{}", b"Content-Type: " + mark + b"\r\n"),
        post("/resolve", resolve_body(ALICE.id), JSON + b"x-enigma-pow: " + mark + b":\xff\r\n"),
    ]
    for request_bytes in sent:
        (reply,) = await exchange(caller, request_bytes)
        assert mark not in reply.body
    assert mark.decode() not in caplog.text


async def test_whoever_sends_ahead_again_and_again_is_answered_each_time(
    caller: RegistryCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MESSAGE_BYTES", 4096)
    four = (b"GET /nodes HTTP/1.1\r\nHost: x" + END) * 4
    reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
    async with asyncio.timeout(20):
        for _ in range(2 * limits.MESSAGE_BYTES // len(four)):
            writer.write(four)
            assert [(await Reply.read(reader)).status for _ in range(4)] == [200] * 4
    writer.close()
    await writer.wait_closed()
