"""Services for strangers: each with a listener of its own, and nothing of the agent among them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, PortInUse
from enigma_fed.daemon.listeners import bind_loopback
from enigma_fed.daemon.paths import Paths
from enigma_fed.daemon.strangers import StrangersDoor, StrangersSettings
from enigma_fed.rpc.connections import BoundedServer
from enigma_fed.rpc.traffic import Traffic
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.proxyline import CIRCUIT_ID
from enigma_fed.transports.tor.public import OnionEntry
from enigma_fed.transports.tor.status import PublicPhase, PublicStatus
from enigma_fed.wire.views import PublicOnionView

KEY = OnionKey(b"\2" * 32)
ANY_PORT = StrangersSettings("127.0.0.1:0", "registry.onion_listen")


class Service:
    """Says its name, and which circuit a caller came by."""

    def __init__(self, name: str) -> None:
        self.name = name

    def server(self) -> BoundedServer:
        return BoundedServer(self._answer, lambda word: None, Traffic(lambda: 0.0))

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        return web.Response(text=f"{self.name} {request.transport.get_extra_info(CIRCUIT_ID)}")


Make = Callable[[TorMode], StrangersDoor]


@pytest_asyncio.fixture
async def make(paths: Paths) -> AsyncIterator[Make]:
    doors: list[StrangersDoor] = []

    def made(mode: TorMode) -> StrangersDoor:
        doors.append(StrangersDoor(mode, paths, KEY))
        return doors[-1]

    yield made
    for door in doors:
        await door.close()


async def by_circuit(path: str, number: int) -> str:
    """The answer to a connection that our own tor hands over."""
    reader, writer = await asyncio.open_unix_connection(path)
    line = f"PROXY TCP6 fc00:dead:beef:4dad::0:{number:x} ::1 24 80\r\n"
    writer.write(line.encode() + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return text.rpartition("\r\n")[2]


async def test_each_service_gets_a_socket_of_its_own_that_tells_circuits(make: Make, paths: Paths) -> None:
    door = make(TorMode.MANAGED)
    assert door.onion is None
    await door.join("registry", 8443, Service("registry").server(), ANY_PORT)
    await door.join("relay", 8790, Service("relay").server(), ANY_PORT)
    assert door.onion is not None
    assert door.address == str(door.onion.address) == str(KEY.address)
    assert door.ports == {"registry": 8443, "relay": 8790}
    registry, relay = door.onion.entries
    assert (registry.virtual_port, relay.virtual_port) == (8443, 8790)
    assert await by_circuit(registry.target.path, 0x18) == "registry 24"
    assert await by_circuit(relay.target.path, 0x19) == "relay 25"
    assert {Path(entry.target.path) for entry in door.onion.entries} == {
        paths.public_socket("registry"),
        paths.public_socket("relay"),
    }
    assert not {paths.rpc_socket, paths.control_socket} & set(map(paths.public_socket, door.ports))


@pytest.mark.parametrize("mode", [TorMode.SYSTEM, TorMode.SOCKS])
async def test_behind_a_tor_that_is_not_ours_it_is_a_loopback_port(make: Make, mode: TorMode) -> None:
    door = make(mode)
    assert not door.tells_circuits
    await door.join("registry", 8443, Service("registry").server(), ANY_PORT)
    assert door.onion is not None
    [entry] = door.onion.entries
    assert entry == OnionEntry(8443, Endpoint("127.0.0.1", entry.target.port))
    async with aiohttp.ClientSession() as session, session.get(f"http://{entry.target}/") as response:
        assert await response.text() == "registry None"


async def test_a_port_that_an_owners_torrc_names_must_be_free(make: Make) -> None:
    taken = bind_loopback("127.0.0.1", 0)
    wanted = StrangersSettings(f"127.0.0.1:{taken.getsockname()[1]}", "registry.onion_listen")
    with pytest.raises(PortInUse) as caught:
        await make(TorMode.SOCKS).join("registry", 8443, Service("registry").server(), wanted)
    assert "registry.onion_listen" in caught.value.hint
    assert "empty" not in caught.value.hint
    door = make(TorMode.SYSTEM)
    await door.join("registry", 8443, Service("registry").server(), wanted)
    taken.close()
    assert door.onion is not None


async def test_no_two_services_share_a_port_and_one_that_leaves_is_gone(make: Make) -> None:
    door = make(TorMode.MANAGED)
    await door.join("registry", 8443, Service("registry").server(), ANY_PORT)
    with pytest.raises(ConfigError, match="8443"):
        await door.join("relay", 8443, Service("relay").server(), ANY_PORT)
    assert door.onion is not None
    path = Path(door.onion.entries[0].target.path)
    await door.leave(8443)
    await door.leave(8443)
    assert (door.onion, door.ports, path.exists()) == (None, {}, False)


async def test_invariant_7_a_service_that_is_full_leaves_the_others_free(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONNECTIONS_INBOUND", 1)
    door = make(TorMode.MANAGED)
    await door.join("registry", 8443, Service("registry").server(), ANY_PORT)
    await door.join("relay", 8790, Service("relay").server(), ANY_PORT)
    assert door.onion is not None
    full, free = (entry.target.path for entry in door.onion.entries)
    reader, held = await asyncio.open_unix_connection(full)
    held.write(b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80\r\n")
    assert await by_circuit(free, 0x19) == "relay 25"
    assert await by_circuit(full, 0x1A) == "registry 26"
    assert await reader.read() == b"", "the oldest of its own had to go"
    held.close()


async def test_without_tor_there_is_nothing_to_carry(make: Make) -> None:
    door = make(TorMode.OFF)
    assert door.view(PublicStatus()) is None
    await door.join("registry", 8443, Service("registry").server(), ANY_PORT)
    assert door.onion is None
    view = door.view(PublicStatus())
    assert view is not None
    assert (view.phase, view.reason) == ("off", "Tor is switched off here")


async def test_it_is_told_where_strangers_call_and_what_that_leads_to(make: Make, paths: Paths) -> None:
    door = make(TorMode.MANAGED)
    await door.join("registry", 8443, Service("registry").server(), ANY_PORT)
    view = door.view(PublicStatus(PublicPhase.SILENT, "not reached", 2, "renewed"))
    assert view == PublicOnionView(
        onion=str(KEY.address),
        ports={"registry": 8443},
        targets={"registry": f"unix:{paths.public_socket('registry')}"},
        phase="silent",
        reason="not reached",
        repairs=2,
        last_repair="renewed",
    )
