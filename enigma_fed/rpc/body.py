"""The body of a request, read whole in bounded time and size (invariant 7)."""

from __future__ import annotations

import asyncio

from aiohttp import HttpVersion11, StreamReader, web

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import MalformedRequest, TooLarge, UnsupportedMedia


def body_at_hand(request: web.BaseRequest) -> bytes | None:
    """The body, if it came together with its head and nothing about it is unusual.

    None: `read_body` reads it, or says what is wrong with it.
    """
    headers, content, length = request.headers, request.content, request.content_length
    if (
        not length
        or length > limits.REQUEST_BYTES
        or not content.is_eof()
        or content.exception() is not None
        or "Content-Encoding" in headers
        or "Transfer-Encoding" in headers
        or request.version != HttpVersion11
    ):
        return None
    return content.read_nowait()


async def read_body(request: web.BaseRequest) -> bytes:
    """The body; raises UnsupportedMedia, TooLarge, MalformedRequest (also when it does not come in time)."""
    if request.version > HttpVersion11:
        raise MalformedRequest("HTTP/1.1 is spoken here")
    if "Content-Encoding" in request.headers:
        raise UnsupportedMedia("bodies are not compressed")
    if request.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        raise UnsupportedMedia("bodies are not encoded")
    length = request.content_length or 0
    if length > limits.REQUEST_BYTES:
        raise _too_large()
    content = request.content
    try:
        if length and content.is_eof():
            return content.read_nowait()  # the usual case: it came together with its header
        async with asyncio.timeout(limits.READ_TIMEOUT):
            return await _read_chunks(content)
    except (TimeoutError, OSError, web.RequestPayloadError, RuntimeError):
        # RuntimeError is aiohttp's word for a connection that ended before the first read.
        raise MalformedRequest("its body did not come") from None


async def _read_chunks(content: StreamReader) -> bytes:
    body = bytearray()
    while chunk := await content.readany():
        body += chunk
        if len(body) > limits.REQUEST_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> TooLarge:
    return TooLarge(f"a request has at most {limits.REQUEST_BYTES} bytes")
