"""The registry as a service of a running agent: where it is reached, where it is not, and what stops it."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from enigma_fed import config
from enigma_fed.base import registry_limits
from enigma_fed.base.errors import ConfigError
from enigma_fed.config import Settings
from enigma_fed.daemon import keys, registryenvelope
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.listeners import bind_loopback
from enigma_fed.daemon.operations import RemoteOperations
from enigma_fed.daemon.paths import Paths
from enigma_fed.daemon.registryhere import RegistryHere
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.views import StatusView
from tests.support.members import did, member
from tests.support.memberships import commit, membership

SOCKS = {"tor.mode": "socks", "tor.socks": "127.0.0.1:1"}
Start = Callable[..., Any]


def secret(name: str) -> str:
    """64 hex digits that nobody has published."""
    return hashlib.sha256(name.encode()).hexdigest()


def tables(**keys_of_registry: object) -> str:
    """`[registry]` with these keys and fixed secrets."""
    wanted = {"enabled": True, "listen": "127.0.0.1:0"} | keys_of_registry
    lines = [f"{key} = {_toml(value)}" for key, value in wanted.items()]
    key = f'{{ kid_hex = "a1b2c3d4e5f60718", x25519_private_key_hex = "{secret("key")}", active = true }}'
    envelope = ["[registry.envelope]", f'pepper_hex = "{secret("pepper")}"', f"keys = [{key}]"]
    return "\n".join(["[registry]", *lines, *envelope])


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'


class Host:
    """A running agent that hosts a registry."""

    def __init__(self, agent: Agent, paths: Paths) -> None:
        self.agent = agent
        self.paths = paths

    @property
    def registry(self) -> RegistryHere:
        found = self.agent.node._registry
        assert found is not None
        return found

    async def status(self) -> StatusView:
        return await asyncio.to_thread(RemoteOperations(self.paths.control_socket).status)


@pytest_asyncio.fixture
async def start(paths: Paths, settings: Settings, tmp_path: Path) -> AsyncIterator[Start]:
    running: list[Agent] = []

    async def started(text: str, **flags: object) -> Host:
        file = tmp_path / "config.toml"
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)
        common = {"rpc.listen": "127.0.0.1:0", "admin.listen": "", "node.name": "attic"}
        if flags.get("tor.mode") == "socks":
            common["tor.listen"] = free_address()
        wanted = {"tor.mode": "off", "clock.synchronised": "assume"} | common | flags
        loaded = await asyncio.to_thread(config.load, file, {}, wanted)  # type: ignore[arg-type]
        agent = Agent(loaded.settings, dataclasses.replace(paths, config=file), keep_log=False)
        await agent.start()
        running.append(agent)
        host = Host(agent, paths)
        if agent.node._registry is not None:
            await host.registry.settled.wait()
        return host

    yield started
    for agent in running:
        await agent.close()


def free_address() -> str:
    """A loopback port that was free a moment ago: a torrc would name it."""
    with bind_loopback("127.0.0.1", 0) as found:
        return f"127.0.0.1:{found.getsockname()[1]}"


async def ask(address: str, path: str, method: str = "GET") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://{address}{path}", data=b"{}" if method == "POST" else None) as found,
    ):
        return found.status, await found.text()


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what it looks at has no event
            await asyncio.sleep(0.01)


async def test_without_the_setting_there_is_none(start: Start, paths: Paths) -> None:
    host = await start("")
    status = await host.status()
    assert (status.registry, status.public, status.node.public_onion) == (None, None, None)
    assert not (paths.data_dir / "registry").exists()
    assert not paths.public_key.exists()


async def test_it_listens_on_loopback_and_status_tells_where(start: Start, paths: Paths) -> None:
    host = await start(tables())
    view = (await host.status()).registry
    assert view is not None
    assert (view.running, view.identities, view.tls, view.trouble) == (True, 0, False, "")
    assert view.listen is not None
    assert view.did not in (None, (await host.status()).node.did)
    status, text = await ask(view.listen, "/nodes")
    assert (status, text) == (200, '{"nodes":[]}')
    assert host.registry.counters["nodes-ok"] == 1
    assert (paths.data_dir / "registry" / "registry.db").stat().st_mode & 0o777 == 0o600


async def test_a_registry_ends_with_its_agent_and_starts_again_on_the_same_folder(
    start: Start, paths: Paths
) -> None:
    host = await start(tables())
    first = (await host.status()).registry
    await host.agent.close()
    assert first is not None
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(first.listen, "/nodes")
    again = (await (await start(tables())).status()).registry
    assert (again.running, again.did) == (True, first.did)


async def test_a_port_in_use_is_told_and_tried_again_while_the_agent_runs(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_limits, "REGISTRY_RETRY", 0.05)
    taken = bind_loopback("127.0.0.1", 0)
    host = await start(tables(listen=f"127.0.0.1:{taken.getsockname()[1]}"))
    status = await host.status()
    assert status.running
    assert status.registry is not None
    assert not status.registry.running
    assert "registry.listen" in status.registry.trouble
    assert any("not served" in warning for warning in status.warnings)
    taken.close()
    await eventually(lambda: host.registry.view().running)
    assert (await host.status()).registry.trouble == ""


async def test_a_damaged_store_is_no_reason_to_stop_federating(start: Start, paths: Paths) -> None:
    await (await start(tables())).agent.close()
    (paths.data_dir / "registry" / "registry.db").write_bytes(b"no database" * 1000)
    status = await (await start(tables())).status()
    assert status.running
    assert (status.registry.running, bool(status.registry.trouble)) == (False, True)


async def test_invariant_10_it_is_published_only_when_its_owner_says_so(start: Start, paths: Paths) -> None:
    host = await start(tables(), **SOCKS)
    status = await host.status()
    assert status.registry.running
    assert (status.public, status.node.public_onion) == (None, None)
    assert not paths.public_key.exists()


async def test_invariant_7_behind_a_tor_that_tells_no_circuits_nobody_can_have_the_others_banned(
    start: Start,
) -> None:
    host = await start(tables(onion=True, onion_listen=free_address()), **SOCKS)
    url = f"http://{(await host.status()).public.targets['registry']}/nodes"
    waits: list[int] = []
    async with aiohttp.ClientSession() as session:
        for number in range(300):
            async with session.get(url, headers={"X-Forwarded-For": f"192.0.2.{number % 250}"}) as answer:
                if answer.status == 429:
                    waits.append(int(answer.headers["Retry-After"]))
    assert len(waits) > registry_limits.REFUSALS_BEFORE_BAN
    assert max(waits) < 60


async def test_its_onion_has_a_key_of_its_own_that_is_made_once(start: Start, paths: Paths) -> None:
    host = await start(tables(onion=True, onion_listen=free_address()), **SOCKS)
    status = await host.status()
    made = keys.load_public_key(paths)
    assert made is not None
    assert status.node.public_onion == status.public.onion == str(made.address)
    assert status.node.public_onion != status.node.onion
    assert status.public.ports == {"registry": 8443}
    await host.agent.close()
    await start(tables(onion=True, onion_listen=free_address()), **SOCKS)
    assert keys.load_public_key(paths) == made


async def test_an_owner_of_a_tor_finds_the_key_files_for_it(start: Start, paths: Paths) -> None:
    await start(tables(onion=True, onion_listen=free_address()), **SOCKS)
    made = keys.load_public_key(paths)
    assert made is not None
    folder = paths.tor_dir / "onions" / "public"
    assert (folder / "hs_ed25519_secret_key").read_bytes() == made.secret_file


async def test_a_registry_may_be_reached_by_its_onion_alone(start: Start) -> None:
    host = await start(tables(listen="", onion=True, onion_listen=free_address()), **SOCKS)
    status = await host.status()
    assert status.registry.listen is None
    assert await ask(status.public.targets["registry"], "/nodes") == (200, '{"nodes":[]}')


async def test_invariant_10_the_onion_for_strangers_leads_to_the_registry_and_nowhere_else(
    start: Start,
) -> None:
    """The peers' onion and the RPC port know nothing of the registry, the strangers' nothing of the node."""
    host = await start(tables(onion=True, onion_listen=free_address()), **SOCKS)
    status = await host.status()
    strangers = status.public.targets["registry"]
    peers = host.agent.node._listeners.onion_address
    for path in ("/nodes", "/envelope_pubkey", "/resolve", "/v1/registry", "/openapi.json"):
        for address in (status.listen, str(peers)):
            assert (await ask(address, path))[0] == 404
    node = status.node
    for path in ("/rpc/v1", "/rpc/v1/stream", "/metrics", "/healthz", "/readyz", "/", "/v1/registry"):
        for method in ("GET", "POST"):
            code, text = await ask(strangers, path, method)
            assert code in {200, 404, 405, 429} if path == "/v1/registry" else code in {404, 429}, path
            for word in (node.did, node.did[-12:], node.onion[:16], node.pubkey, node.name):
                assert word not in text


async def test_peers_are_those_of_the_setting_and_members_whom_the_owner_trusts(start: Start) -> None:
    named = did(9)
    host = await start(tables().replace("[registry.envelope]", f'peers = ["{named}"]\n[registry.envelope]'))
    trusted, observer = member(1, trust_level=TrustLevel.TRUSTED), member(2)
    await commit(host.agent.node.federation.store, membership(nodes=[trusted, observer]))
    assert host.registry._is_peer(named)
    assert host.registry._is_peer(trusted.did)
    assert not host.registry._is_peer(observer.did)
    assert not host.registry._is_peer(did(8))


async def test_changed_settings_are_taken_over_and_refused_ones_change_nothing(start: Start) -> None:
    host = await start(tables(), **{"log.level": "info"})
    running = host.agent._settings
    listen = (await host.status()).registry.listen
    handle = "00" * 32
    assert (await ask(listen, f"/check_user/{handle}"))[0] == 200
    without = msgspec.structs.replace(running.registry, check_user=False)
    planned = await host.agent.reload(dataclasses.replace(running, registry=without))
    assert (planned.changed, planned.waiting) == (("registry.check_user",), ())
    status, text = await ask(listen, f"/check_user/{handle}")
    assert (status, "FEATURE_DISABLED" in text) == (400, True)
    weak = msgspec.structs.replace(without.envelope, pepper_hex="00" * 32)
    refused = msgspec.structs.replace(without, envelope=weak, check_user=True)
    with pytest.raises(ConfigError, match="pepper"):
        await host.agent.reload(dataclasses.replace(running, registry=refused))
    assert (await ask(listen, f"/check_user/{handle}"))[0] == 400


async def test_where_it_listens_and_what_it_keeps_wait_for_a_restart(start: Start) -> None:
    host = await start(tables())
    running = host.agent._settings
    moved = msgspec.structs.replace(running.registry, listen="", onion=True)
    planned = await host.agent.reload(dataclasses.replace(running, registry=moved))
    assert (planned.changed, planned.waiting) == ((), ("registry.listen", "registry.onion"))


async def test_keys_that_are_rotated_in_its_file_are_taken_over(
    start: Start, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a file that cannot be used leaves the old keys in force."""
    monkeypatch.setattr(registry_limits, "REGISTRY_FILES_INTERVAL", 0.02)
    host = await start('[registry]\nenabled = true\nlisten = "127.0.0.1:0"\n')
    listen = (await host.status()).registry.listen
    own = paths.data_dir / "registry" / "envelope.toml"
    assert own.stat().st_mode & 0o777 == 0o600
    kid = await asyncio.to_thread(registryenvelope.rotate, own, os.urandom, int(time.time() * 1000), 60_000)
    await eventually(lambda: host.registry._loaded.settings.envelope.keys[0].kid.hex() == kid)
    assert kid in (await ask(listen, "/envelope_pubkey"))[1]
    own.write_text("[envelope]\nnothing = 1\n")
    await eventually(lambda: host.registry.view().trouble != "")
    status = await host.status()
    assert status.registry.running
    assert any("the old ones are in force" in warning for warning in status.warnings)
    assert (await ask(listen, "/envelope_pubkeys"))[0] == 200


async def test_a_registry_that_waits_is_tried_again_with_changed_settings_at_once(start: Start) -> None:
    host = await start(tables().replace(secret("pepper"), "00" * 32))
    assert "pepper" in (await host.status()).registry.trouble
    running = host.agent._settings
    good = msgspec.structs.replace(running.registry.envelope, pepper_hex=secret("pepper"))
    mended = msgspec.structs.replace(running.registry, envelope=good)
    await host.agent.reload(dataclasses.replace(running, registry=mended))
    await eventually(lambda: host.registry.view().running)


async def test_metrics_tell_of_it(start: Start) -> None:
    host = await start(tables(), **{"admin.listen": "127.0.0.1:0"})
    status = await host.status()
    await ask(status.registry.listen, "/nodes")
    await ask(status.registry.listen, "/nothing")
    text = (await ask(status.admin, "/metrics"))[1]
    for line in (
        "enigma_fed_registry_running 1.0",
        "enigma_fed_registry_identities 0.0",
        'enigma_fed_registry_requests_total{answer="nodes-ok"} 1.0',
        'enigma_fed_registry_requests_total{answer="other-NOT_FOUND"} 1.0',
        'enigma_fed_public_onion_phase{phase="off"} 1.0',
    ):
        assert line in text.splitlines(), line
