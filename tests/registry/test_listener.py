"""Whose a connection is, and how many there may be (invariant 7)."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

import pytest

from enigma_fed.base import registry_limits
from enigma_fed.registry.doors import Door
from enigma_fed.registry.settings import RateLimitSettings
from enigma_fed.transports.tor.proxyline import CIRCUIT_ID
from tests.support.registryserver import RegistryCaller, registry, settings

LIMITED = RateLimitSettings(per_ip_rps=0.001, burst=1)
PROXY = (ipaddress.ip_network("127.0.0.0/8"),)


async def statuses(caller: RegistryCaller, *forwarded: str) -> list[int]:
    return [
        (await caller.ask("GET", "/nodes", headers={"X-Forwarded-For": each})).status for each in forwarded
    ]


async def test_invariant_7_who_is_no_trusted_proxy_cannot_name_another_client() -> None:
    async with registry(settings(rate_limit=LIMITED)) as caller:
        assert await statuses(caller, "198.51.100.1", "198.51.100.2") == [200, 429]


async def test_a_trusted_proxy_names_the_client_of_each_request() -> None:
    async with registry(settings(rate_limit=LIMITED, trusted_proxies=PROXY)) as caller:
        told = ("198.51.100.1", "198.51.100.2", "1.2.3.4, 198.51.100.1", "nonsense", "nonsense")
        assert await statuses(caller, *told) == [200, 200, 429, 200, 429]


async def test_invariant_7_behind_an_onion_nobody_names_a_client() -> None:
    async with registry(settings(rate_limit=LIMITED, trusted_proxies=PROXY), door=Door.ONION) as caller:
        told = await statuses(caller, *(f"198.51.100.{number}" for number in range(60)))
        assert told[0] == 200
        assert told[-1] == 429


class Wire(asyncio.Transport):
    """A connection that nobody reads, from any address."""

    def __init__(self, **extra: Any) -> None:
        super().__init__(extra)
        self.closed = False

    def abort(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: Any) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def connected(caller: RegistryCaller, door: Door, *extras: dict[str, Any]) -> list[Wire]:
    """One connection after the other to one listener; all end at the end of the test's loop."""
    listener = caller.server.server(door)
    wires = [Wire(**extra) for extra in extras]
    made = []
    for wire in wires:
        protocol = listener()
        protocol.connection_made(wire)
        made.append(protocol)
    ended = [wire for wire in wires if wire.closed]
    for protocol in made:
        protocol.connection_lost(None)
    await listener.shutdown(0.1)
    return ended


def of(address: str, port: int) -> dict[str, Any]:
    return {"peername": (address, port)}


async def test_invariant_7_connections_from_one_address_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_limits, "CONNECTIONS_PER_CLIENT", 3)
    async with registry() as caller:
        many = [of("198.51.100.7", port) for port in range(3)]
        assert not await connected(caller, Door.TCP, *many, of("198.51.100.8", 1))
        assert len(await connected(caller, Door.TCP, *many, of("198.51.100.7", 9))) == 1
        network = [of(f"2001:db8::{port}", port) for port in range(1, 5)]
        assert len(await connected(caller, Door.TCP, *network)) == 1
        here = [of("127.0.0.1", port) for port in range(9)]
        assert not await connected(caller, Door.TCP, *here)
        circuit: dict[str, Any] = {CIRCUIT_ID: 5}
        assert not await connected(caller, Door.CIRCUIT, *([circuit] * 16))
        assert len(await connected(caller, Door.CIRCUIT, *([circuit] * 17))) == 1


async def test_invariant_7_connections_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_limits, "CONNECTIONS", 4)
    async with registry() as caller:
        many = [of(f"198.51.100.{number}", 1) for number in range(5)]
        assert not await connected(caller, Door.TCP, *many[:4])
        assert len(await connected(caller, Door.TCP, *many)) == 1
