"""Which nodes leave the list, and how little a look is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from enigma_fed.base import registry_limits as limits
from enigma_fed.registry import nodeprobe
from enigma_fed.registry.nodeprobe import NodeProbe, look_directly
from enigma_fed.registry.storememory import MemoryStore
from tests.support.manualclock import ManualClock

GOOD, DEAD, OTHER = "https://good.example", "https://dead.example", "https://other.example"
WEEK = limits.NODE_UNREACHABLE


class World:
    """A list of nodes, some of which answer."""

    def __init__(self, *answering: str) -> None:
        self.answering = set(answering)
        self.looks: list[str] = []
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.probe = NodeProbe(self.store, self.clock, self.look)

    async def look(self, url: str) -> bool:
        self.looks.append(url)
        return url in self.answering

    async def pass_time(self, seconds: int) -> None:
        """Rounds with an hour between them."""
        for _ in range(seconds // limits.NODE_PROBE_INTERVAL):
            self.clock.advance(limits.NODE_PROBE_INTERVAL)
            await self.probe.round()


async def test_a_node_that_is_gone_for_a_week_leaves_the_list() -> None:
    world = World(GOOD)
    await world.store.add_nodes([GOOD, DEAD], 10)
    await world.probe.round()
    assert world.looks == []
    await world.pass_time(WEEK - limits.NODE_PROBE_INTERVAL)
    assert world.store.nodes() == (GOOD, DEAD)
    await world.pass_time(limits.NODE_PROBE_INTERVAL)
    assert world.store.nodes() == (GOOD,)


async def test_when_none_answers_it_is_this_machine_that_is_cut_off() -> None:
    world = World()
    await world.store.add_nodes([GOOD, DEAD, OTHER], 10)
    await world.probe.round()
    await world.pass_time(2 * WEEK)
    assert len(world.store.nodes()) == 3


async def test_an_only_node_leaves_too() -> None:
    world = World()
    await world.store.add_nodes([DEAD], 10)
    await world.probe.round()
    await world.pass_time(WEEK)
    assert world.store.nodes() == ()


async def test_rounds_are_a_pause_apart() -> None:
    world = World(GOOD)
    await world.store.add_nodes([GOOD], 10)
    running = asyncio.create_task(world.probe.run())
    for _ in range(limits.NODE_PROBE_INTERVAL // limits.NODE_PROBE_PAUSE + 1):
        await asyncio.sleep(0)
        assert world.looks == []
        world.clock.advance(limits.NODE_PROBE_PAUSE)
        for _ in range(5):
            await asyncio.sleep(0)
    assert world.looks == [GOOD]
    running.cancel()
    await asyncio.wait({running})


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Every name leads to these; returns where connections go to."""
    dialled: list[str] = []

    async def getaddrinfo(host: str, port: int, **how: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, port)) for address in addresses]

    async def open_connection(host: str, port: int) -> Any:
        dialled.append(f"{host}:{port}")
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(nodeprobe.asyncio, "open_connection", open_connection)
    return dialled


async def test_invariant_7_no_look_goes_to_an_address_that_is_not_public(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dialled = resolving(monkeypatch, "127.0.0.1", "10.0.0.1", "::1")
    assert not await look_directly("http://bait.example")
    assert dialled == []


async def test_a_look_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled = resolving(monkeypatch, "10.0.0.1", "1.1.1.1")
    assert not await look_directly("http://both.example")
    assert not await look_directly("https://both.example:8443/path")
    assert dialled == ["1.1.1.1:80", "1.1.1.1:8443"]


async def test_a_node_that_accepts_a_connection_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodeprobe, "is_public_address", lambda text: True)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await look_directly(f"http://127.0.0.1:{port}")
    server.close()
    await server.wait_closed()


async def test_an_onion_is_not_looked_at() -> None:
    assert await look_directly("http://" + "a" * 56 + ".onion")


async def test_a_look_has_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "1.1.1.1")
    monkeypatch.setattr(limits, "NODE_PROBE_TIMEOUT", 0.01)

    async def hang(host: str, port: int) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(nodeprobe.asyncio, "open_connection", hang)
    assert not await look_directly("http://silent.example")
