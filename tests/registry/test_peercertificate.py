"""A client certificate that the handshake verified opens /sync, and nothing else."""

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
from enigma_fed.wire.registrybodies import NodesPayload, SyncRequest
from enigma_fed.wire.registryv1 import PresenceQuery
from tests.support.certificates import Certificates
from tests.support.manualclock import ManualClock
from tests.support.registryserver import OWN, settings
from tests.support.registryusers import User

BODIES = {
    b"/sync": SyncRequest((User("alice").identity(),)).encode(),
    b"/nodes": NodesPayload(("https://example.org",)).encode(),
    b"/v1/presence": PresenceQuery(User("alice").id).encode(),
}


async def answer(port: int, context: ssl.SSLContext, path: bytes) -> bytes:
    body = BODIES[path]
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(
            b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (path, len(body), body)
        )
        try:
            return await reader.read()
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@pytest.mark.parametrize("asks_for_certificates", [True, False])
async def test_invariant_1_mutual_tls_opens_sync_and_nothing_else(
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
    said = {path: await answer(bound.getsockname()[1], client, path) for path in BODIES}
    await listener.close()
    await runner.cleanup()
    await server.close()
    opened = [path for path, text in said.items() if not text.startswith(b"HTTP/1.1 401 ")]
    assert opened == ([b"/sync"] if asks_for_certificates else [])
    if asks_for_certificates:
        assert said[b"/sync"].endswith(b'{"merged":1}')
