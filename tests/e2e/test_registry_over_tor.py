"""The registry of a home on the onion for strangers, over a private Tor network: reached, limited by circuit,
and with nothing on it that says whose home it is."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from enigma_fed.base.errors import PeerUnreachable
from enigma_fed.demo.agentprocess import AgentProcess
from enigma_fed.demo.torprocess import PlainTor
from enigma_fed.transports.tor.session import onion_session
from enigma_fed.wire import envelope as envelopes
from enigma_fed.wire.envelope import Envelope
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registrybodies import RegisterRequest, ResolveRequest
from enigma_fed.wire.views import StatusView
from tests.cli.fakes import invoke
from tests.support.registryusers import User
from tests.support.tornet import TorNetwork

pytestmark = [pytest.mark.tor, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

PATIENCE = 150.0
PORT = 8443
PEPPER = hashlib.sha256(b"pepper").digest()
SECRET = hashlib.sha256(b"secret of the registry").digest()
KID = "a1b2c3d4e5f60718"
REGISTRY = f"""
[registry]
enabled = true
listen = "127.0.0.1:0"
onion = true

[registry.envelope]
pepper_hex = "{PEPPER.hex()}"
keys = [{{ kid_hex = "{KID}", x25519_private_key_hex = "{SECRET.hex()}", active = true }}]
"""


class Answer(NamedTuple):
    """What a request got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Reached(NamedTuple):
    """The home, what its status says, and the tor of somebody else."""

    home: AgentProcess
    status: StatusView
    visitor: PlainTor


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def reached(
    tor_network: TorNetwork, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Reached]:
    folder = tmp_path_factory.mktemp("registry")
    home = AgentProcess("attic", folder / "attic", tor_network.client_torrc, extra_config=REGISTRY)
    home.prepare()
    await home.start()
    visitor = tor_network.plain_client(folder / "visitor")
    await visitor.start()
    try:
        status = await eventually(home, is_published)
        await visitor.wait_bootstrapped()
        yield Reached(home, status, visitor)
    finally:
        await visitor.stop()
        await home.stop()


def is_published(status: StatusView) -> bool:
    return (
        status.tor is not None
        and status.tor.phase == "ready"
        and status.public is not None
        and status.public.phase == "ready"
    )


async def eventually(home: AgentProcess, condition: Callable[[StatusView], bool]) -> StatusView:
    """The first status that fulfils this."""
    async with asyncio.timeout(PATIENCE):
        operations = await home.operations()
        while not condition(status := await asyncio.to_thread(operations.status)):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return status


class Caller:
    """Somebody with circuits of its own."""

    def __init__(self, reached: Reached, session: aiohttp.ClientSession) -> None:
        assert reached.status.public is not None
        self.strangers = f"http://{reached.status.public.onion}:{PORT}"
        self.session = session

    async def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """One request; tries again while Tor says that nobody can be reached."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await self.once(method, f"{self.strangers}{path}", body, headers)
                except (PeerUnreachable, aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(0.5)

    async def once(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """One request; raises PeerUnreachable."""
        async with self.session.request(method, url, data=body, headers=headers) as response:
            return Answer(response.status, dict(response.headers), await response.read())


@pytest_asyncio.fixture(loop_scope="module")
async def callers(reached: Reached) -> AsyncIterator[tuple[Caller, Caller]]:
    """Two who share no circuit."""
    socks = await reached.visitor.socks()
    async with (
        onion_session(lambda: socks, isolation_key=os.urandom(16)) as one,
        onion_session(lambda: socks, isolation_key=os.urandom(16)) as other,
    ):
        yield Caller(reached, one), Caller(reached, other)


async def test_whoever_is_registered_there_is_found_by_others(callers: tuple[Caller, Caller]) -> None:
    one, other = callers
    alice, requester = User("alice"), os.urandom(32)
    known = (await one.ask("GET", "/envelope_pubkey")).json
    server = bytes.fromhex(known["x25519_public_key_hex"])
    answer = await one.ask("POST", "/register", RegisterRequest(alice.id, sealed(alice, server)).encode())
    assert (answer.status, answer.json) == (200, {"ok": True})
    asked = ResolveRequest(alice.id, envelopes.public_key(requester)).encode()
    found = (await other.ask("POST", "/resolve", asked)).json["envelope"]
    assert found is not None
    opened = Envelope.from_object(found)
    key = envelopes.envelope_key(PEPPER, alice.id, envelopes.shared_secret(requester, server, ""))
    identity = PublicIdentity.decode(envelopes.unseal(key, alice.id, opened.nonce, opened.ciphertext))
    assert identity == alice.identity()
    assert (await other.ask("GET", f"/check_user/{alice.id.hex}")).json == {"exists": True}


def sealed(user: User, server: bytes) -> Envelope:
    """The user's identity for the registry with this public key."""
    ephemeral, nonce = os.urandom(32), os.urandom(24)
    key = envelopes.envelope_key(PEPPER, user.id, envelopes.shared_secret(ephemeral, server, ""))
    inside = envelopes.seal(key, user.id, nonce, user.identity().encode())
    return Envelope(bytes.fromhex(KID), envelopes.public_key(ephemeral), nonce, inside)


async def test_the_command_line_registers_and_finds_there(reached: Reached, tmp_path: Path) -> None:
    """By way of a tor that is not this node's; the first call may come before the onion is known there."""
    assert reached.status.public is not None
    pepper = tmp_path / "pepper"
    pepper.write_text(PEPPER.hex(), encoding="utf-8")
    pepper.chmod(0o600)
    where = ("--url", f"http://{reached.status.public.onion}:{PORT}", "--pepper-file", str(pepper))
    flags = (*where, "--socks", str(await reached.visitor.socks()), "--data-dir", str(tmp_path / "data"))

    async def run(*words: str) -> Any:
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await asyncio.to_thread(invoke, "registry", *words, *flags, "--json")
                if found.exit_code not in (3, 75):
                    break
                await asyncio.sleep(1)
        assert found.exit_code == 0, found.err
        return found.json

    await run("register", "bob")
    assert (await run("check", "bob"))["exists"] is True
    found = await run("resolve", "bob")
    assert (found["name"], found["prekey"] is None) == ("bob", False)


async def test_the_command_line_finds_the_tor_of_the_running_agent(reached: Reached) -> None:
    """Without --socks it asks through the tor of the node that the line names."""
    assert reached.status.public is not None
    flags = ("--data-dir", str(reached.home.data_dir), "--config", str(reached.home.config_file), "--json")
    url = f"http://{reached.status.public.onion}:{PORT}"
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await asyncio.to_thread(invoke, "registry", "nodes", "--url", url, *flags)
            if found.exit_code not in (3, 75):
                break
            await asyncio.sleep(1)
    assert (found.exit_code, found.json["nodes"]) == (0, []), found.err


async def test_one_circuit_that_asks_too_much_is_refused_and_another_is_served(
    callers: tuple[Caller, Caller],
) -> None:
    one, other = callers
    answers = [await one.ask("GET", "/nodes") for _ in range(1)]
    answers += await asyncio.gather(*(one.ask("GET", "/nodes") for _ in range(40)))
    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert {answer.json["error"]["code"] for answer in refused} == {"RATE_LIMITED"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert (await other.ask("GET", "/nodes")).status == 200


async def test_invariant_10_neither_onion_carries_what_is_on_the_other(
    reached: Reached, callers: tuple[Caller, Caller]
) -> None:
    one, other = callers
    node = reached.status.node
    assert node.public_onion not in (None, node.onion)
    for path in ("/rpc/v1", "/rpc/v1/stream", "/metrics", "/healthz", "/readyz", "/control"):
        for method in ("GET", "POST"):
            answer = await other.ask(method, path, b"{}" if method == "POST" else None)
            assert answer.status in {404, 429}, path
            assert answer.json["error"]["code"] in {"NOT_FOUND", "RATE_LIMITED"}
    for onion, port in ((node.public_onion, 80), (node.public_onion, 8787), (node.onion, PORT)):
        with pytest.raises(PeerUnreachable):
            await one.once("GET", f"http://{onion}:{port}/", None, {})


async def test_invariant_10_nothing_on_the_onion_for_strangers_names_the_node(
    reached: Reached, callers: tuple[Caller, Caller]
) -> None:
    node = reached.status.node
    said = [
        await callers[1].ask("GET", path)
        for path in ("/envelope_pubkeys", "/v1/registry", "/openapi.json", "/nodes", "/nothing")
    ]
    text = b"".join(answer.body + repr(answer.headers).encode() for answer in said)
    assert {answer.status for answer in said} <= {200, 404, 429}
    for word in (node.did, node.did[-20:], node.onion[:20], node.pubkey, node.name, node.fingerprint):
        assert word.encode() not in text
