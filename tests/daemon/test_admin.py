"""The admin listener over real HTTP: its pages, its refusals, and callers that mean it ill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from enigma_fed.base import limits
from enigma_fed.base.tasks import Tasks
from enigma_fed.daemon.admin import Admin, Text
from enigma_fed.daemon.listeners import bind_loopback
from tests.support.manualclock import ManualClock

Make = Callable[[str], Awaitable[Admin]]


async def page(accept: str) -> Text:
    return Text(f"accept {accept}".encode(), "text/plain; charset=utf-8")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest_asyncio.fixture
async def make(clock: ManualClock) -> AsyncIterator[Make]:
    made: list[Admin] = []
    tasks = Tasks()

    async def build(listen: str) -> Admin:
        admin = Admin(listen, {"/page": page, "/hangs": hangs}, tasks, clock)
        made.append(admin)
        await admin.start()
        return admin

    yield build
    for admin in made:
        await admin.close()
    await tasks.close()


async def hangs(accept: str) -> Text:
    await asyncio.Event().wait()
    raise AssertionError


@pytest_asyncio.fixture
async def admin(make: Make) -> Admin:
    return await make("127.0.0.1:0")


async def connect(admin: Admin) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert admin.address is not None
    host, _, port = admin.address.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))


async def ask(admin: Admin, head: str, body: bytes = b"", *, host: str = "") -> tuple[int, bytes, bytes]:
    """Status, head and body of what one request gets; the connection must end by itself."""
    reader, writer = await connect(admin)
    writer.write(f"{head}\r\nHost: {host or admin.address}\r\n\r\n".encode() + body)
    async with asyncio.timeout(30):
        found = await reader.read()
    writer.close()
    top, _, rest = found.partition(b"\r\n\r\n")
    return int(top.split(b" ")[1]), top, rest


async def test_a_page_is_served_once_a_connection(admin: Admin) -> None:
    status, head, body = await ask(admin, "GET /page HTTP/1.1\r\nAccept: x/y")
    assert (status, body) == (200, b"accept x/y")
    for line in (b"Cache-Control: no-store", b"X-Content-Type-Options: nosniff", b"Server: enigma-fed"):
        assert line in head
    assert b"access-control-" not in head.lower()
    status, head, body = await ask(admin, "HEAD /page HTTP/1.1")
    assert (status, body) == (200, b"")
    assert b"Content-Length: 7" in head
    assert admin.statistics["ok"] == 2


async def test_an_ipv6_loopback_serves_as_well(make: Make) -> None:
    admin = await make("[::1]:0")
    assert admin.address is not None
    assert admin.address.startswith("[::1]:")
    assert (await ask(admin, "GET /page HTTP/1.1"))[0] == 200


async def test_no_address_opens_no_port(make: Make) -> None:
    admin = await make("")
    assert (admin.address, admin.trouble) == (None, "")


@pytest.mark.parametrize(
    ("head", "status", "word"),
    [
        ("GET / HTTP/1.1", 404, "not-found"),
        ("POST /rpc/v1 HTTP/1.1\r\nContent-Length: 2", 404, "not-found"),
        ("POST /page HTTP/1.1\r\nContent-Length: 2", 405, "method"),
        ("GET /page HTTP/1.1\r\nContent-Length: 2", 413, "body"),
        ("GET /page HTTP/1.1\r\nContent-Length: 99999999999", 413, "body"),
        ("GET /page HTTP/1.1\r\nTransfer-Encoding: chunked", 413, "body"),
        ("GET /page HTTP/1.1\r\nOrigin: http://evil.example", 403, "foreign"),
        ("GET /page HTTP/1.1\r\nSec-Fetch-Site: cross-site", 403, "foreign"),
        ("GET /page HTTP/1.1\r\nHost: evil.example", 400, "bad-http"),
        ("GET /page", 400, "bad-request"),
        ("GET /page HTTP/1.0", 400, "bad-request"),
        ("GET /page FTP/1.1", 400, "bad-http"),
    ],
)
async def test_what_is_refused_is_refused_shortly_and_counted(
    admin: Admin, head: str, status: int, word: str
) -> None:
    sent = b"2\r\n{}\r\n0\r\n\r\n" if "chunked" in head else b"{}" if "Length" in head else b""
    found, answer, body = await ask(admin, head, sent)
    assert found == status
    assert b"access-control-" not in answer.lower()
    assert len(body) < 100
    assert admin.statistics[word] == 1
    assert admin.statistics["ok"] == 0


async def test_invariant_10_a_name_that_was_led_here_gets_nothing(admin: Admin) -> None:
    for host in ("evil.example:8788", f"{'a' * 56}.onion"):
        status, _, body = await ask(admin, "GET /page HTTP/1.1", host=host)
        assert status == 403
        assert b"accept" not in body


async def test_invariant_7_a_head_that_is_too_large_or_never_ends_is_cut(admin: Admin) -> None:
    status, _, _ = await ask(admin, f"GET /page HTTP/1.1\r\nX: {'a' * limits.HEADER_BYTES}")
    assert status == 400
    reader, writer = await connect(admin)
    writer.write(b"GET /page HTTP/1.1\r\n" + b"X: a\r\n" * limits.HEAD_BYTES)
    async with asyncio.timeout(30):
        try:
            found = await reader.read()
        except ConnectionError:
            found = b""
    writer.close()
    assert b"accept" not in found


async def test_invariant_7_a_caller_that_sends_nothing_is_cut(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "READ_TIMEOUT", 0.1)
    admin = await make("127.0.0.1:0")
    reader, writer = await connect(admin)
    writer.write(b"GET /page HTTP/1.1\r\nHost:")
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()


async def test_invariant_7_of_too_many_connections_the_oldest_ends_and_a_newcomer_is_served(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ADMIN_CONNECTIONS", 2)
    admin = await make("127.0.0.1:0")
    held = [await connect(admin) for _ in range(2)]
    assert (await ask(admin, "GET /page HTTP/1.1"))[0] == 200
    async with asyncio.timeout(30):
        assert await held[0][0].read() == b""
    assert admin.connections <= 2
    assert admin.statistics["evicted"] == 1
    for _, writer in held:
        writer.close()


async def test_an_answer_that_does_not_come_is_given_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADMIN_PATIENCE", 0.05)
    admin = await make("127.0.0.1:0")
    status, _, body = await ask(admin, "GET /hangs HTTP/1.1")
    assert status == 503
    assert b"no answer in time" in body


class Retries(ManualClock):
    """Tells when the next pause has begun."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses = asyncio.Queue[float]()

    async def sleep(self, seconds: float) -> None:
        self.pauses.put_nowait(seconds)
        await super().sleep(seconds)


async def test_a_port_in_use_is_said_and_taken_once_it_is_free() -> None:
    taken = bind_loopback("127.0.0.1", 0)
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    clock, tasks = Retries(), Tasks()
    admin = Admin(address, {"/page": page}, tasks, clock)
    await admin.start()
    assert admin.address is None
    assert address in admin.trouble
    assert "admin.listen" in admin.trouble
    for _ in range(2):
        assert await clock.pauses.get() == limits.ADMIN_RETRY
        assert admin.address is None
        clock.advance(limits.ADMIN_RETRY)
    assert await clock.pauses.get() == limits.ADMIN_RETRY
    taken.close()
    clock.advance(limits.ADMIN_RETRY)
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "admin listener"))
    assert (admin.address, admin.trouble) == (address, "")
    assert (await ask(admin, "GET /page HTTP/1.1"))[0] == 200
    await admin.close()
