"""A reply over HTTP is byte for byte what aiohttp would send."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest
from aiohttp import web

from enigma_fed.rpc.httpreply import HttpReply, UsualReplies
from tests.support.rpcserver import serving

FIELDS = {"Content-Type": "application/cbor", "Content-Digest": "sha-256=:AA==:", "Server": "enigma-fed"}
ASKED = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"
DATE = formatdate(1_800_000_000, usegmt=True)


async def received(response: web.StreamResponse, asked: bytes) -> bytes:
    """All that a client gets that asks once and ends its side."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return response

    async with serving(web.ServerRunner(web.Server(answer))) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        rest = b"" if b"Connection: close" not in head else await reader.read()
        writer.close()
        await writer.wait_closed()
        return head + rest


@pytest.mark.parametrize(
    "asked",
    [ASKED, b"POST / HTTP/1.1\r\nConnection: close\r\n\r\n", b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n"],
)
@pytest.mark.parametrize("closing", [False, True])
@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize("body", [b"", b"\xa0"])
async def test_it_is_what_aiohttp_sends(asked: bytes, closing: bool, status: int, body: bytes) -> None:
    """With the same fields in the same order, on a connection that stays and on one that ends."""
    plain = web.Response(status=status, body=body, headers={**FIELDS, "Date": DATE})
    reply = HttpReply(status, body, FIELDS, DATE)
    if closing:
        plain.force_close()
        reply.force_close()

    def fields(answer: bytes) -> tuple[bytes, list[bytes], bytes]:
        head, _, rest = answer.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        return first, sorted(line for line in lines if not line.startswith(b"Date: ")), rest

    assert fields(await received(reply, asked)) == fields(await received(plain, asked))
    assert dict(reply.headers) == FIELDS


async def test_the_connection_stays_open_behind_it() -> None:
    """Two requests on one connection get two whole replies."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return HttpReply(200, b"\xa0", FIELDS, DATE)

    async with serving(web.ServerRunner(web.Server(answer))) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(ASKED)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert f"Date: {DATE}\r\n".encode() in head
            assert await reader.readexactly(1) == b"\xa0"
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("more", [{}, {"Retry-After": "5"}])
async def test_usual_replies_are_the_same_from_a_head_that_is_written_once_a_second(
    more: dict[str, str],
) -> None:
    replies = UsualReplies(FIELDS)
    for now in (1_800_000_000.0, 1_800_000_000.9, 1_800_000_001.0):
        date = formatdate(int(now), usegmt=True)
        answer = await received(replies.reply(b"{}", now, more), ASKED)
        assert f"Date: {date}\r\n".encode() in answer
        assert dict(replies.reply(b"{}", now, more).headers) == {**FIELDS, **more}
        plain = await received(HttpReply(200, b"{}", {**FIELDS, **more}, date), ASKED)
        assert sorted(answer.split(b"\r\n")) == sorted(plain.split(b"\r\n"))


async def test_other_fields_are_never_those_of_the_reply_before() -> None:
    replies = UsualReplies(FIELDS)
    for more in ({"A": "1"}, {"A": "2"}, {}, {"B": "1"}):
        reply = replies.reply(b"{}", 1_800_000_000.0, more)
        assert dict(reply.headers) == {**FIELDS, **more}
        answer = await received(reply, ASKED)
        assert [name in answer for name in (b"A: 1", b"A: 2", b"B: 1")] == [
            more == each for each in ({"A": "1"}, {"A": "2"}, {"B": "1"})
        ]
