"""A client certificate that the handshake verified is a peer's proof, and nothing less is."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web
from msgspec.structs import replace

from enigma_fed.registry import tls
from enigma_fed.registry.serving import make_registry
from enigma_fed.registry.storememory import MemoryStore
from enigma_fed.registry.tlslistener import TlsListener
from enigma_fed.wire.registrybodies import SyncRequest
from tests.support.certificates import Certificates
from tests.support.manualclock import ManualClock
from tests.support.registryserver import OWN, settings
from tests.support.registryusers import User

BODY = SyncRequest((User("alice").identity(),)).encode()
REQUEST = (
    b"POST /sync HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


async def answer(port: int, context: ssl.SSLContext) -> bytes:
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(REQUEST)
        try:
            return await reader.read()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@pytest.mark.parametrize("asks_for_certificates", [True, False])
async def test_invariant_1_sync_over_mutual_tls_needs_no_signature(
    tmp_path: Path, asks_for_certificates: bool
) -> None:
    certificates = Certificates(tmp_path)
    files = certificates.issue()
    if asks_for_certificates:
        files = replace(files, client_ca=certificates.client_ca_file())
    server = make_registry(settings(allow_sync=True), MemoryStore(), OWN, ManualClock(), os.urandom)
    made = server.server()
    runner = web.ServerRunner(made, shutdown_timeout=1)
    await runner.setup()
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    listener = TlsListener(made, bound, tls.make_context(files))
    listener.start()
    client = certificates.trusting()
    certificates.client_ca.issue_cert("peer@example.org").configure_cert(client)
    said = await answer(bound.getsockname()[1], client)
    await listener.close()
    await runner.cleanup()
    await server.close()
    if asks_for_certificates:
        assert said.endswith(b'{"merged":1}')
    else:
        assert said.startswith(b"HTTP/1.1 401 ")
