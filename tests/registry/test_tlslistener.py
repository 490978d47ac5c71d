"""Connections by TLS, over real sockets: versions, clients' certificates, exchange of ours, and bounds."""

from __future__ import annotations

import asyncio
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import msgspec
import pytest
import uvloop

from enigma_fed.base import registry_limits
from enigma_fed.registry import tls
from enigma_fed.registry.settings import TlsSettings
from enigma_fed.registry.tlslistener import TlsListener
from tests.support.certificates import Certificates, KeyKind


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


class Echo(asyncio.Protocol):
    """Sends back what comes; closes after "end"."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)
        if data == b"end":
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


@asynccontextmanager
async def listening(
    files: TlsSettings, factory: Callable[[], asyncio.Protocol] = Echo
) -> AsyncIterator[tuple[TlsListener, int]]:
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    listener = TlsListener(factory, bound, tls.make_context(files))
    listener.start()
    try:
        yield listener, bound.getsockname()[1]
    finally:
        await listener.close()


async def echoed(port: int, context: ssl.SSLContext) -> bytes:
    """The server's certificate, after a word went there and back."""
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            writer.write(b"word")
            assert await reader.readexactly(4) == b"word"
            found: bytes = writer.get_extra_info("ssl_object").getpeercert(True)
            return found
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def certificate_of(files: TlsSettings) -> bytes:
    first = files.certificate.read_text(encoding="ascii").split("-----END")[0] + "-----END CERTIFICATE-----\n"
    return ssl.PEM_cert_to_DER_cert(first)


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What came before the connection ended, in whatever way."""
    async with asyncio.timeout(30):
        with suppress(ConnectionError):
            return await reader.read()
    return b""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - counters of the product's, which tell nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", ["RSA", "ECDSA"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_rsa_and_ec_are_served_by_both_versions(
    certificates: Certificates, kind: KeyKind, version: ssl.TLSVersion
) -> None:
    files = certificates.issue(kind, name=f"{kind}-{version}")
    client = certificates.trusting()
    client.minimum_version = client.maximum_version = version
    async with listening(files) as (listener, port):
        assert await echoed(port, client) == certificate_of(files)
        assert listener.counts == {"done": 1}


async def test_invariant_8_weakness_24_tls_1_1_is_refused(certificates: Certificates) -> None:
    client = certificates.trusting()
    client.set_ciphers("ALL:@SECLEVEL=0")
    async with listening(certificates.issue(name="old")) as (listener, port):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await echoed(port, client)
        await until(lambda: listener.counts["failed"] == 1)
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        await echoed(port, client)


async def test_invariant_7_with_a_ca_for_clients_only_its_clients_get_through(
    certificates: Certificates,
) -> None:
    files = msgspec.structs.replace(
        certificates.issue(name="mutual"), client_ca=certificates.client_ca_file()
    )
    with_none, with_another, with_its_own = (certificates.trusting() for _ in range(3))
    certificates.ca.issue_cert("stranger@example.com").configure_cert(with_another)
    certificates.client_ca.issue_cert("peer@example.com").configure_cert(with_its_own)
    async with listening(files) as (listener, port):
        for stranger in (with_none, with_another):
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await echoed(port, stranger)
        await until(lambda: listener.counts["failed"] == 2)
        assert await echoed(port, with_its_own) == certificate_of(files)


async def test_a_new_certificate_serves_new_connections_and_cuts_none(certificates: Certificates) -> None:
    first, second = certificates.issue(name="first"), certificates.issue(name="second")
    client = certificates.trusting()
    async with listening(first) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
        listener.context = tls.make_context(second)
        assert await echoed(port, client) == certificate_of(second)
        writer.write(b"still")
        async with asyncio.timeout(30):
            assert await reader.readexactly(5) == b"still"
        writer.close()
        await writer.wait_closed()


async def test_plain_http_and_silence_do_no_harm(certificates: Certificates) -> None:
    async with listening(certificates.issue(name="plain")) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert b"HTTP" not in await ended(reader)
        writer.close()
        await until(lambda: listener.counts["failed"] == 1)
        await echoed(port, certificates.trusting())


async def test_invariant_7_handshakes_have_a_bound_and_the_oldest_ends(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_limits, "TLS_HANDSHAKES", 3)
    monkeypatch.setattr(registry_limits, "TLS_HANDSHAKE_TIMEOUT", 3600)
    async with listening(certificates.issue(name="crowd")) as (listener, port):
        silent = []
        for number in range(4):
            silent.append(await asyncio.open_connection("127.0.0.1", port))
            await until(lambda: sum((listener.handshakes, listener.counts["crowded-out"])) == number + 1)  # noqa: B023
        assert listener.handshakes == 3
        assert listener.counts == {"crowded-out": 1}
        assert await ended(silent[0][0]) == b""
        await echoed(port, certificates.trusting())
        for _, writer in silent:
            writer.close()


async def test_invariant_7_a_handshake_that_takes_too_long_ends(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_limits, "TLS_HANDSHAKE_TIMEOUT", 0.05)
    async with listening(certificates.issue(name="slow")) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await ended(reader) == b""
        writer.close()
        await until(lambda: listener.counts["failed"] == 1)
        assert listener.handshakes == 0


async def test_a_connection_waits_only_so_long_for_the_other_sides_last_word(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_limits, "TLS_SHUTDOWN_TIMEOUT", 0.05)
    served = Echo()

    def say_end(port: int) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", port))
        connection = certificates.trusting().wrap_socket(plain, server_hostname="127.0.0.1")
        connection.sendall(b"end")
        return connection

    async with listening(certificates.issue(name="last"), lambda: served) as (_, port):
        with await asyncio.to_thread(say_end, port):
            async with asyncio.timeout(20):
                await served.lost.wait()


def test_the_loop_that_the_registry_runs_on_does_all_this(certificates: Certificates) -> None:
    async def life() -> None:
        first, second = certificates.issue(name="uv-first"), certificates.issue(name="uv-second")
        async with listening(first) as (listener, port):
            assert await echoed(port, certificates.trusting()) == certificate_of(first)
            listener.context = tls.make_context(second)
            assert await echoed(port, certificates.trusting()) == certificate_of(second)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"no TLS at all")
            await ended(reader)
            writer.close()
            _, silent = await asyncio.open_connection("127.0.0.1", port)
            await until(lambda: listener.handshakes == 1)
        silent.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(life())
