"""One request and its reply, of registries that do everything wrong."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import EnigmaError
from enigma_fed.base.registry_client_errors import RegistryAnswerBroken, RegistryUnreachable
from enigma_fed.registry.clienthttp import Answer, connected, direct_session
from enigma_fed.registry.clientplace import Place
from enigma_fed.transports.tor.session import onion_session
from tests.support.fakesocks import FakeSocks
from tests.support.rpcserver import raw_server

ONION = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"


@dataclass
class Raw:
    """Sends these bytes, then closes or waits."""

    reply: bytes
    stays: bool = False
    drip: bytes = b""
    head: bytes = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.head = await reader.readuntil(b"\r\n\r\n")
            writer.write(self.reply)
            await writer.drain()
            while self.drip:
                writer.write(self.drip)
                await writer.drain()
            if self.stays:
                await reader.read()
        except (ConnectionError, EOFError):
            pass
        finally:
            writer.close()


async def ask(
    raw: Raw, session: Callable[[Place], aiohttp.ClientSession] = lambda place: direct_session(None)
) -> Answer:
    async with (
        raw_server(raw.serve) as port,
        connected(Place.parse(f"http://127.0.0.1:{port}"), session) as http,
    ):
        return await http.ask("GET", "/nodes?x=/y")


def reply(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"\r\n".join([b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields])
    return head + b"\r\n\r\n" + body


async def test_what_is_asked_tells_nothing_of_the_machine() -> None:
    raw = Raw(reply(b"{}"))
    assert (await ask(raw)) == Answer(200, b"{}")
    lines = raw.head.decode().split("\r\n")
    assert lines[0] == "GET /nodes?x=/y HTTP/1.1"
    assert {line.partition(":")[0].lower() for line in lines[1:] if line} <= {"host", "connection"}


async def test_a_body_is_json() -> None:
    raw = Raw(reply(b"{}"))
    async with (
        raw_server(raw.serve) as port,
        connected(Place.parse(f"http://127.0.0.1:{port}"), lambda place: direct_session(None)) as http,
    ):
        await http.ask("POST", "/announce", b"{}", {"x-enigma-pow": "a:b"})
    assert b"content-type: application/json\r\n" in raw.head.lower()
    assert b"x-enigma-pow: a:b\r\n" in raw.head.lower()


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        (b"Retry-After: 7", 7),
        (b"Retry-After: 999999999", 999_999_999),
        (b"Retry-After: 9999999999", None),
        (b"Retry-After: -1", None),
        (b"Retry-After: Fri, 20 Nov 2026 18:00:00 GMT", None),
        (b"X: 7", None),
    ],
)
async def test_retry_after(field: bytes, seconds: int | None) -> None:
    answer = await ask(Raw(reply(b"{}", field, status=b"429 Too Many Requests")))
    assert (answer.status, answer.retry_after) == (429, seconds)


async def test_reannounce_after() -> None:
    assert (await ask(Raw(reply(b"{}", b"Reannounce-After: 150")))).reannounce_after == 150


async def broken(raw: Raw) -> EnigmaError:
    with pytest.raises((RegistryAnswerBroken, RegistryUnreachable)) as caught:
        await ask(raw)
    return caught.value


async def test_invariant_9_a_redirect_is_not_followed() -> None:
    raw = Raw(reply(b"", b"Location: http://127.0.0.1:1/", status=b"302 Found"))
    error = await broken(raw)
    assert isinstance(error, RegistryAnswerBroken)
    assert "redirect" in str(error)


async def test_a_compressed_answer_is_refused() -> None:
    assert "compressed" in str(await broken(Raw(reply(b"x", b"Content-Encoding: gzip"))))


async def test_invariant_7_an_answer_larger_than_any_is_cut() -> None:
    most = registry_limits.REGISTRY_REPLY_BYTES
    assert len((await ask(Raw(reply(b"x" * most)))).body) == most
    assert "larger" in str(await broken(Raw(reply(b"x" * (most + 1)))))


async def test_invariant_7_an_endless_answer_is_cut() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert isinstance(
        await broken(Raw(chunked, drip=b"10000\r\n" + b"x" * 65_536 + b"\r\n")), RegistryAnswerBroken
    )
    await broken(Raw(b"HTTP/1.1 200 OK\r\n", drip=b"X: y\r\n" * 999))
    await broken(Raw(b"", drip=b"HTTP/1.1 100 Continue\r\n\r\n" * 99))


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
    ],
)
async def test_what_is_no_answer(sent: bytes) -> None:
    await broken(Raw(sent))


async def test_an_answer_that_does_not_come_in_time() -> None:
    def impatient(place: Place) -> aiohttp.ClientSession:
        session = direct_session(None)
        assert session.timeout.total == registry_limits.CLIENT_CALL_TIMEOUT
        assert session.timeout.sock_connect == registry_limits.CLIENT_CONNECT_TIMEOUT
        session._timeout = aiohttp.ClientTimeout(total=0.2)
        return session

    for raw in (Raw(b"", stays=True), Raw(reply(b"x" * 10)[:-2], stays=True)):
        with pytest.raises(RegistryUnreachable, match="in time"):
            await ask(raw, impatient)


async def test_nobody_listens() -> None:
    async with raw_server(Raw(b"").serve) as port:
        pass
    async with connected(Place.parse(f"http://127.0.0.1:{port}"), lambda place: direct_session(None)) as http:
        with pytest.raises(RegistryUnreachable, match="no connection: connection refused"):
            await http.ask("GET", "/nodes")


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*asked: object, **how: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with connected(Place.parse("https://registry.invalid"), lambda place: direct_session(None)) as http:
        with pytest.raises(RegistryUnreachable, match="name is not known"):
            await http.ask("GET", "/nodes")


async def test_an_onion_is_asked_through_tor_alone() -> None:
    async with FakeSocks() as socks:
        socks.reply = reply(b'{"nodes":[]}')
        place = Place.parse(f"http://{ONION}:8443")
        async with connected(
            place, lambda place: onion_session(lambda: socks.endpoint, isolation_key=b"k" * 32)
        ) as http:
            assert (await http.ask("GET", "/nodes")).body == b'{"nodes":[]}'
    assert [(host, port) for _, host, port in socks.requests] == [(ONION, 8443)]


async def test_an_onion_that_tor_does_not_find() -> None:
    async with (
        FakeSocks(code=0xF0) as socks,
        connected(
            Place.parse(f"http://{ONION}:8443"),
            lambda place: onion_session(lambda: socks.endpoint, isolation_key=b"k" * 32),
        ) as http,
    ):
        with pytest.raises(RegistryUnreachable, match="not published"):
            await http.ask("GET", "/nodes")
