"""A body is read whole, plain and bounded, or not at all (invariant 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from unittest.mock import Mock

import pytest
from aiohttp import HttpVersion, HttpVersion11, StreamReader, web
from aiohttp.test_utils import make_mocked_request

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import MalformedRequest, RpcError, TooLarge, UnsupportedMedia
from enigma_fed.rpc.body import body_at_hand, read_body


async def request(
    *chunks: bytes, ends: bool = True, version: HttpVersion = HttpVersion11, **fields: str
) -> web.BaseRequest:
    """A request whose body has come so far."""
    content = StreamReader(Mock(_reading_paused=False), 2**16, loop=asyncio.get_running_loop())
    for chunk in chunks:
        content.feed_data(chunk)
    if ends:
        content.feed_eof()
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return make_mocked_request("POST", "/", named, version=version, payload=content)


async def test_a_body_that_came_with_its_head() -> None:
    assert await read_body(await request(b"{}", Content_Length="2")) == b"{}"


async def test_a_body_in_chunks_is_put_together() -> None:
    assert await read_body(await request(b"a", b"bc", Transfer_Encoding="chunked")) == b"abc"


async def test_no_body_is_an_empty_one() -> None:
    assert await read_body(await request()) == b""


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (lambda: request(b"x", Content_Encoding="gzip"), UnsupportedMedia),
        (lambda: request(b"x", Transfer_Encoding="gzip, chunked"), UnsupportedMedia),
        (lambda: request(b"x", version=HttpVersion(2, 0)), MalformedRequest),
    ],
    ids=["compressed", "encoded", "version"],
)
async def test_what_is_not_read(made: object, error: type[RpcError]) -> None:
    with pytest.raises(error):
        await read_body(await made())  # type: ignore[operator]


@pytest.mark.parametrize("told", [True, False], ids=["told", "in chunks"])
async def test_invariant_7_a_body_has_a_size(told: bool) -> None:
    most = limits.REQUEST_BYTES
    for size in (most, most + 1):
        fields = {"Content_Length": str(size)} if told else {"Transfer_Encoding": "chunked"}
        made = await request(bytes(size), **fields)
        if size == most:
            assert len(await read_body(made)) == size
        else:
            with pytest.raises(TooLarge):
                await read_body(made)


async def test_invariant_7_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "READ_TIMEOUT", 0.01)
    with pytest.raises(MalformedRequest):
        await read_body(await request(b"half", ends=False, Content_Length="8"))


async def test_a_body_at_hand_is_the_one_that_would_be_read() -> None:
    assert body_at_hand(await request(b"{}", Content_Length="2")) == b"{}"
    assert body_at_hand(await request(b"{", b"}", Content_Length="2")) == b"{}"


@pytest.mark.parametrize(
    "made",
    [
        request,
        lambda: request(b"", Content_Length="0"),
        lambda: request(b"{", ends=False, Content_Length="2"),
        lambda: request(b"{}", Transfer_Encoding="chunked"),
        lambda: request(b"{}", Content_Length="2", Transfer_Encoding="gzip"),
        lambda: request(b"{}", Content_Length="2", Content_Encoding="gzip"),
        lambda: request(b"{}", Content_Length=str(limits.REQUEST_BYTES + 1)),
        lambda: request(b"{}", Content_Length="2", version=HttpVersion(1, 0)),
    ],
    ids=["none", "empty", "not come yet", "chunks", "encoded", "compressed", "too large", "version"],
)
async def test_invariant_7_nothing_unusual_is_at_hand(made: Callable[[], Awaitable[web.BaseRequest]]) -> None:
    assert body_at_hand(await made()) is None


async def test_a_body_that_broke_off_is_not_at_hand() -> None:
    broken = await request(b"{}", Content_Length="2")
    broken.content.set_exception(web.RequestPayloadError("broken"))
    assert body_at_hand(broken) is None
