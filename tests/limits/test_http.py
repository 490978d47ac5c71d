"""HTTP as an attacker writes it: one request is one request, or a refusal that ends the connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest

from enigma_fed.base import limits
from tests.support.rawhttp import HEAD, Caller, signed
from tests.support.rpcserver import Server, serving, wire
from tests.support.signedcalls import key

GET: Final = b"GET /rpc/v1 HTTP/1.1\r\nHost: x\r\n"
CHUNKED: Final = HEAD + b"Transfer-Encoding: chunked\r\n"
LENGTH: Final = b"Content-Length: 2\r\n\r\n{}"
LAST: Final = b"0\r\n\r\n"
SECOND: Final = b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n"

# What is sent, and the status of its one answer; each closes the connection.
REFUSED: Final[dict[str, tuple[bytes, int]]] = {
    "length and chunks": (CHUNKED + b"Content-Length: 5\r\n\r\n" + LAST, 400),
    "two lengths": (HEAD + b"Content-Length: 3\r\n" + LENGTH, 400),
    "one length twice": (HEAD + b"Content-Length: 2\r\n" + LENGTH, 400),
    "lengths in a list": (HEAD + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    "a signed length": (HEAD + b"Content-Length: +2\r\n\r\n{}", 400),
    "a hexadecimal length": (HEAD + b"Content-Length: 0x2\r\n\r\n{}", 400),
    "a huge length": (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{}", 400),
    "a length that is too large": (HEAD + b"Content-Length: %d\r\n\r\n{}" % (limits.REQUEST_BYTES + 1), 413),
    "space before the colon": (HEAD + b"Content-Length : 2\r\n\r\n{}", 400),
    "a folded line": (HEAD + b"X: a\r\n b\r\n" + LENGTH, 400),
    "a NUL in a field": (HEAD + b"X: a\0b\r\n" + LENGTH, 400),
    "a NUL in the target": (b"POST /rpc/v1\0 HTTP/1.1\r\nHost: x\r\n" + LENGTH, 400),
    "line feeds only": (b"POST /rpc/v1 HTTP/1.1\nHost: x\n\n", 400),
    "a bare carriage return": (HEAD + b"X: a\rb\r\n" + LENGTH, 400),
    "chunked twice": (CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n" + LAST, 400),
    "chunked under another": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + LAST, 415),
    "another encoding": (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "a word like chunked": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + LAST, 400),
    "a negative chunk": (CHUNKED + b"\r\n-1\r\n{}\r\n" + LAST, 400),
    "a huge chunk": (CHUNKED + b"\r\nffffffffffffffffff\r\n{}", 400),
    "trailers without end": (CHUNKED + b"\r\n2\r\n{}\r\n0\r\n" + b"X: a\r\n" * 5000, 400),
    "compressed": (HEAD + b"Content-Encoding: gzip\r\n" + LENGTH, 415),
    "compressed otherwise": (HEAD + b"Content-Encoding: br\r\n" + LENGTH, 415),
    "compressed by zstd": (HEAD + b"Content-Encoding: zstd\r\n" + LENGTH, 415),
    "two hosts": (b"POST /rpc/v1 HTTP/1.1\r\nHost: x\r\nHost: y\r\n" + LENGTH, 400),
    "no host": (b"POST /rpc/v1 HTTP/1.1\r\n" + LENGTH, 400),
    "an absolute target": (b"POST http://x/rpc/v1 HTTP/1.1\r\nHost: x\r\n" + LENGTH, 400),
    "HTTP/1.2": (HEAD.replace(b"1.1", b"1.2") + LENGTH, 400),
    "HTTP/2.0 in the old form": (HEAD.replace(b"1.1", b"2.0") + LENGTH, 400),
    "the beginning of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "the beginning of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "a WebSocket": (GET + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 405),
    "a tunnel": (b"CONNECT a:80 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "a tunnel to the target": (b"CONNECT /rpc/v1 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "OPTIONS": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "TRACE": (b"TRACE /rpc/v1 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "GET": (GET + b"\r\n", 405),
    "a long target": (b"GET /" + b"a" * limits.HEADER_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
}


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with wire() as wires, serving(Server(wires).endpoint.runner()) as found:
        yield found


@pytest.mark.parametrize("case", REFUSED)
async def test_invariant_7_what_could_be_read_in_two_ways_is_refused_and_ends_the_connection(
    port: int, case: str
) -> None:
    request, status = REFUSED[case]
    caller = await Caller.tcp(port)
    caller.writer.write(request + SECOND)
    answers = (await caller.reader.read()).decode()
    assert answers.count("HTTP/") == 1, "what follows is never taken for a second request"
    assert int(answers.split()[1]) == status
    assert len(answers) < 1000
    caller.close()


@pytest.mark.parametrize("chunked", [False, True])
async def test_invariant_7_a_body_is_read_up_to_its_size(port: int, chunked: bool) -> None:
    """limits.REQUEST_BYTES; a body of just that size is read, and found to be unsigned."""
    for size, status in ((limits.REQUEST_BYTES, 401), (limits.REQUEST_BYTES + 1, 413)):
        body = b" " * size
        head = HEAD + b"Content-Length: %d\r\n\r\n" % size
        whole = CHUNKED + b"\r\n%x\r\n%s\r\n" % (size, body) + LAST if chunked else head + body
        caller = await Caller.tcp(port)
        assert (await caller.ask(whole)).status == status
        caller.close()


async def test_invariant_7_no_later_version_is_spoken(port: int) -> None:
    caller = await Caller.tcp(port)
    assert (await caller.ask(HEAD.replace(b"1.1", b"2.0") + LENGTH)).word == "malformed"
    caller.close()


async def test_a_head_request_gets_no_body(port: int) -> None:
    caller = await Caller.tcp(port)
    caller.writer.write(b"HEAD /rpc/v1 HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = (await caller.reader.read()).partition(b"\r\n\r\n")
    assert b" 405 " in head
    assert body == b""
    caller.close()


@pytest.mark.parametrize("field", [b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\n"])
async def test_what_asks_for_more_than_an_answer_gets_an_answer(port: int, field: bytes) -> None:
    caller = await Caller.tcp(port)
    assert (await caller.ask(HEAD + field + LENGTH)).status == 401
    caller.close()


async def test_a_member_may_send_chunks_and_http_1_0() -> None:
    async with wire() as wires:
        server = Server(wires)
        async with serving(server.endpoint.runner()) as port:
            whole = signed(key(1), server.own.did, server.clock.wall())
            head, body = whole.split(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
            chunks = b"%x;a=b\r\n%s\r\n%x\r\n%s\r\n0\r\nX: y\r\n\r\n" % (9, body[:9], len(body) - 9, body[9:])
            caller = await Caller.tcp(port)
            request = b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", chunks])
            assert (await caller.ask(request)).word == "ok"
            old = signed(key(1), server.own.did, server.clock.wall()).replace(b"HTTP/1.1", b"HTTP/1.0")
            assert (await caller.ask(old)).word == "ok"
            caller.close()


async def test_invariant_7_many_requests_at_once_are_answered_in_turn_and_few_are_kept(port: int) -> None:
    """Pipelined: the library stops to read, and to parse, while its queue is full."""
    caller = await Caller.tcp(port)
    caller.writer.write((HEAD + LENGTH) * 500)
    for _ in range(500):
        assert (await caller.answer()).status == 401
    caller.close()
