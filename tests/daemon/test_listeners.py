"""Where the RPC listens, and what a taken port says."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.base.errors import PortInUse
from enigma_fed.daemon.listeners import Listeners, bind_loopback, raise_file_limit
from enigma_fed.rpc.connections import BoundedServer
from enigma_fed.rpc.traffic import Traffic
from tests.support.manualclock import ManualClock
from tests.support.rpcserver import endpoint
from tests.support.signedcalls import FakeDoorkeeper, call_body, key, legacy_fields, signed_fields


class Echo:
    """Stands for the RPC endpoint."""

    def server(self) -> BoundedServer:
        return BoundedServer(self.handle, lambda word: None, Traffic(lambda: 0.0))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.path)


async def get(address: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/x") as response:
        return await response.text()


async def test_a_free_port_is_taken_and_named() -> None:
    listeners = Listeners(Echo(), "127.0.0.1:0", None)  # type: ignore[arg-type]
    await listeners.start()
    assert listeners.address is not None
    assert await get(listeners.address) == "/x"
    await listeners.close()
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(listeners.address)


async def test_no_address_opens_no_port_and_the_onions_socket_serves(runtime_dir: Path) -> None:
    path = runtime_dir / "rpc.sock"
    listeners = Listeners(Echo(), "", path)  # type: ignore[arg-type]
    await listeners.start()
    assert listeners.address is None
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80\r\n")
    writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"/x")
    writer.close()
    await listeners.close()


async def test_a_port_in_use_is_an_error_that_names_the_address() -> None:
    taken = bind_loopback("127.0.0.1", 0)
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    listeners = Listeners(Echo(), address, None)  # type: ignore[arg-type]
    with pytest.raises(PortInUse) as caught:
        await listeners.start()
    await listeners.close()
    taken.close()
    assert caught.value.detail == address
    assert caught.value.exit_code == 1
    assert "rpc.listen" in caught.value.hint


async def test_as_many_files_as_the_system_allows_can_be_open() -> None:
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most // 2, most))
        raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))


async def test_listeners_that_never_started_can_be_closed(runtime_dir: Path) -> None:
    await Listeners(Echo(), "127.0.0.1:0", runtime_dir / "x").close()  # type: ignore[arg-type]


async def test_invariant_7_a_full_listener_leaves_the_other_free(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS_INBOUND", 1)
    listeners = Listeners(Echo(), "127.0.0.1:0", runtime_dir / "rpc.sock")  # type: ignore[arg-type]
    await listeners.start()
    assert listeners.address is not None
    reader, held = await asyncio.open_unix_connection(runtime_dir / "rpc.sock")
    held.write(b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80\r\n")
    _, newer = await asyncio.open_unix_connection(runtime_dir / "rpc.sock")
    newer.write(b"PROXY TCP6 fc00:dead:beef:4dad::0:19 ::1 25 80\r\n")
    assert await reader.read() == b"", "the oldest had to go"
    assert await get(listeners.address) == "/x"
    held.close()
    newer.close()
    await listeners.close()


class Slow(Echo):
    """Answers when the test lets it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.set()
        await self.answer.wait()
        return web.Response(text="done")


REQUEST = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
THROUGH_TOR = b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80\r\n"


@pytest.mark.parametrize("onion", [False, True])
async def test_at_the_stop_an_answer_under_way_is_finished_and_nothing_new_begun(
    runtime_dir: Path, onion: bool
) -> None:
    slow, path = Slow(), runtime_dir / "rpc.sock"
    listeners = Listeners(slow, "127.0.0.1:0", path)  # type: ignore[arg-type]
    await listeners.start()
    assert listeners.address is not None
    host, _, port = listeners.address.partition(":")
    if onion:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(THROUGH_TOR)
    else:
        reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(REQUEST)
    await slow.asked.wait()
    closing = asyncio.create_task(listeners.close())
    assert await asyncio.wait({closing}, timeout=0.1) == (set(), {closing})
    slow.answer.set()
    assert b"done" in await reader.read()
    await closing
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))
    writer.close()


async def test_an_answer_that_never_comes_holds_no_stop_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "DRAIN_TIMEOUT", 0.05)
    slow = Slow()
    listeners = Listeners(slow, "127.0.0.1:0", None)  # type: ignore[arg-type]
    await listeners.start()
    assert listeners.address is not None
    host, _, port = listeners.address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(REQUEST)
    await slow.asked.wait()
    async with asyncio.timeout(20):
        await listeners.close()
    assert b"done" not in await reader.read()
    writer.close()


async def test_invariant_1_what_one_listener_served_no_other_serves_again(runtime_dir: Path) -> None:
    """One replay table for every way in, the old header set included."""
    clock = ManualClock()
    keeper = FakeDoorkeeper(key(2).did, members=[key(1).did])
    keeper.legacy = {key(1).did}
    listeners = Listeners(endpoint(key(2), keeper, clock), "127.0.0.1:0", runtime_dir / "rpc.sock")
    clock.advance(limits.CHALLENGE_AFTER_START)
    await listeners.start()
    body = call_body()
    now = datetime.fromtimestamp(clock.wall(), UTC).isoformat()
    for fields in (signed_fields(key(1), key(2).did, body, clock.wall()), legacy_fields(key(1), now)):
        url = f"http://{listeners.address}/rpc/v1"
        async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=fields) as reply:
            assert b'"result"' in await reply.read()
        assert b'"code":"replayed"' in await through_the_onion(runtime_dir / "rpc.sock", fields, body)
    await listeners.close()


async def through_the_onion(path: Path, fields: Mapping[str, str], body: bytes) -> bytes:
    """The answer to a request on the socket that tor speaks to."""
    reader, writer = await asyncio.open_unix_connection(path)
    lines = [f"{name}: {value}" for name, value in fields.items()]
    head = ["POST /rpc/v1 HTTP/1.1", "Host: a", "Connection: close", f"Content-Length: {len(body)}", *lines]
    writer.write(b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80\r\n")
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    return answer
