"""The listener behind the onion: tor's first line, then HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import OperationFailed, WireError
from enigma_fed.transports.tor.proxyline import CIRCUIT_ID, OnionListener, parse_proxy_line

LINE = b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80"
REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"


async def _answer(request: web.Request) -> web.Response:
    assert request.transport is not None
    circuit = request.transport.get_extra_info(CIRCUIT_ID)
    return web.Response(text=f"circuit {circuit} said {await request.text()}")


@pytest_asyncio.fixture
async def listener(tmp_path: Path) -> AsyncIterator[OnionListener]:
    application = web.Application()
    application.router.add_post("/", _answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    assert runner.server is not None
    listener = OnionListener(runner.server, tmp_path / "onion.sock")
    await listener.start()
    yield listener
    await listener.close()
    await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the loop's next turn is what is waited for
            await asyncio.sleep(0)


async def exchange(listener: OnionListener, *pieces: bytes) -> bytes:
    """Everything that comes back until the connection ends; each piece is a segment of its own."""
    reader, writer = await asyncio.open_unix_connection(str(listener.path))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            return await reader.read()
    except (ConnectionResetError, BrokenPipeError):
        return b""
    finally:
        writer.close()


async def test_the_line_is_eaten_and_the_rest_of_its_segment_passed_on(listener: OnionListener) -> None:
    answer = await exchange(listener, LINE + b"\r\n" + REQUEST)
    assert answer.endswith(b"circuit 24 said abc")


@pytest.mark.parametrize("cut", [1, 10, len(LINE), len(LINE) + 1, len(LINE) + 2, len(LINE) + 20])
async def test_segments_may_be_cut_anywhere(listener: OnionListener, cut: int) -> None:
    stream = LINE + b"\r\n" + REQUEST
    answer = await exchange(listener, stream[:cut], stream[cut:])
    assert answer.endswith(b"circuit 24 said abc")


async def test_a_byte_at_a_time(listener: OnionListener) -> None:
    stream = LINE + b"\r\n" + REQUEST
    answer = await exchange(listener, *(stream[i : i + 1] for i in range(len(stream))))
    assert answer.endswith(b"circuit 24 said abc")


@pytest.mark.parametrize(
    "start",
    [REQUEST, b"PROXY UNKNOWN\r\n" + REQUEST, b"\r\n", b"x" * 200, b"PROXY TCP6 " + b"0" * 96 + b"\r\n"],
)
async def test_anything_else_is_closed_without_an_answer(listener: OnionListener, start: bytes) -> None:
    assert await exchange(listener, start) == b""
    assert listener.connections == 0


async def test_invariant_7_tors_line_is_bounded(listener: OnionListener) -> None:
    longest = LINE + b"0" * (limits.PROXY_LINE_BYTES - len(LINE) - len(b"\r\n"))
    assert (await exchange(listener, longest + b"\r\n" + REQUEST)).endswith(b"circuit 24 said abc")
    assert await exchange(listener, longest + b"0\r\n" + REQUEST) == b""


async def test_invariant_7_a_line_that_does_not_end_is_cut(listener: OnionListener) -> None:
    reader, writer = await asyncio.open_unix_connection(str(listener.path))
    with contextlib.suppress(ConnectionError):
        writer.write(LINE.ljust(limits.PROXY_LINE_BYTES))
        async with asyncio.timeout(5):
            assert await reader.read() == b""
    writer.close()


async def test_invariant_7_the_line_has_to_come_in_time(
    listener: OnionListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROXY_LINE_TIMEOUT", 0.01)
    assert await exchange(listener, LINE[:20]) == b""


async def test_invariant_7_connections_that_wait_for_tors_line_are_bounded(
    listener: OnionListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROXY_LINES_DUE", 1)
    reader, first = await asyncio.open_unix_connection(str(listener.path))
    assert await exchange(listener, LINE + b"\r\n" + REQUEST) == b""
    assert listener.connections == 1
    first.write(LINE + b"\r\n")
    await until(lambda: not any(each.waiting for each in listener._open))
    assert (await exchange(listener, LINE + b"\r\n" + REQUEST)).endswith(b"said abc")
    first.write(REQUEST)
    assert (await reader.read()).endswith(b"said abc")
    first.close()


async def test_the_socket_is_private_and_replaces_one_left_over(
    listener: OnionListener, tmp_path: Path
) -> None:
    assert listener.path.stat().st_mode & 0o777 == 0o600
    again = OnionListener(listener.factory, listener.path)
    await again.start()
    assert (await exchange(again, LINE + b"\r\n" + REQUEST)).endswith(b"said abc")
    await again.close()
    assert not listener.path.exists()


async def test_a_file_in_the_way_is_left_alone(listener: OnionListener, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OperationFailed, match="in the way"):
        await OnionListener(listener.factory, tmp_path / "file").start()
    assert (tmp_path / "file").read_text() == "mine"


async def test_a_path_too_long_for_a_socket_is_refused(listener: OnionListener, tmp_path: Path) -> None:
    with pytest.raises(OperationFailed, match="longer than 107"):
        await OnionListener(listener.factory, tmp_path / ("x" * 107)).start()


async def test_closing_ends_connections_that_still_owe_the_line(listener: OnionListener) -> None:
    reader, writer = await asyncio.open_unix_connection(str(listener.path))
    await until(lambda: listener.connections == 1)
    await listener.close()
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


def test_the_circuits_number_is_in_the_last_32_bits() -> None:
    assert parse_proxy_line(b"PROXY TCP6 fc00:dead:beef:4dad::ffff:ffff ::1 1 80") == 0xFFFFFFFF


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"PROXY TCP4 127.0.0.1 127.0.0.1 1 80",
        b"PROXY TCP6 fc00:dead:beef:4dae::1 ::1 1 80",
        b"PROXY TCP6 fc00:dead:beef:4dad::1 ::1 1",
        b"PROXY  fc00:dead:beef:4dad::1 ::1 1 80",
        b"PROXY TCP6 \xff ::1 1 80",
    ],
)
def test_lines_that_tor_does_not_send(line: bytes) -> None:
    with pytest.raises(WireError):
        parse_proxy_line(line)


@given(st.binary(max_size=limits.PROXY_LINE_BYTES))
def test_any_bytes_give_a_number_or_a_wire_error(line: bytes) -> None:
    for text in (line, b"PROXY TCP6 " + line + b" ::1 1 80"):
        with contextlib.suppress(WireError):
            assert 0 <= parse_proxy_line(text) < 2**32
