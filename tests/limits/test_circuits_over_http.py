"""Behind the onion: a circuit that floods is turned away, and nobody else notices."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.rpc.connections import BoundedServer
from enigma_fed.transports.tor.proxyline import OnionListener
from tests.support.rawhttp import Answer, Caller, signed
from tests.support.rpcserver import Server, wire
from tests.support.signedcalls import key

MEMBER, STRANGER = key(1), key(4)
FLOOD: Final = 7
"""The circuit that floods."""


class Onion:
    """An endpoint behind an onion's listener."""

    def __init__(self, server: Server, bounded: BoundedServer, path: Path) -> None:
        self.server = server
        self.bounded = bounded
        self.path = path
        self.callers: list[Caller] = []

    async def caller(self, circuit: int) -> Caller:
        self.callers.append(await Caller.onion(self.path, circuit))
        return self.callers[-1]

    def request(self, number: int = 4) -> bytes:
        return signed(key(number), self.server.own.did, self.server.clock.wall())

    async def ask(self, circuit: int, number: int = 4) -> Answer:
        return await (await self.caller(circuit)).ask(self.request(number))


@asynccontextmanager
async def serving_onion(path: Path) -> AsyncIterator[Onion]:
    async with wire() as wires:
        server = Server(wires)
        bounded = server.endpoint.server()
        runner = web.ServerRunner(bounded)
        await runner.setup()
        listener = OnionListener(bounded, path)
        await listener.start()
        made = Onion(server, bounded, path)
        yield made
        for caller in made.callers:
            caller.close()
        await listener.close()
        await runner.cleanup()


@pytest.fixture
async def onion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Onion]:
    monkeypatch.chdir(tmp_path)
    async with serving_onion(Path("onion.sock")) as made:
        yield made


async def test_invariant_7_a_circuit_that_tries_and_tries_is_turned_away_before_anything_is_parsed(
    onion: Onion,
) -> None:
    answers = [await onion.ask(FLOOD, 100 + number) for number in range(limits.FAILED_TRIES_PER_CIRCUIT + 3)]
    words = [word for word, _ in itertools.groupby(answer.word for answer in answers)]
    assert words == ["unknown-peer", "busy"]
    assert answers[-1] == Answer(429, "busy", closes=True)
    assert (await onion.ask(FLOOD + 1)).word == "unknown-peer", "another circuit is another caller"
    onion.server.clock.advance(60)
    assert (await onion.ask(FLOOD)).word == "unknown-peer"


async def test_invariant_7_a_circuit_that_asks_too_fast_is_turned_away_and_others_are_served(
    onion: Onion,
) -> None:
    caller = await onion.caller(FLOOD)
    answers = [await caller.ask(onion.request(1)) for _ in range(limits.REQUESTS_PER_CIRCUIT_BURST)]
    assert {answer.word for answer in answers} == {"ok"}
    assert await caller.ask(onion.request(1)) == Answer(429, "busy", closes=True)
    assert await caller.is_closed()
    assert (await onion.ask(FLOOD + 1, 1)).word == "ok"
    assert onion.server.endpoint.statistics["circuit-limited"] == 1


async def test_invariant_7_one_circuit_cannot_fill_a_listener(onion: Onion) -> None:
    silent = [await onion.caller(FLOOD) for _ in range(limits.CONNECTIONS_PER_CIRCUIT + 5)]
    for caller in silent[:5]:
        assert await caller.is_closed()
    assert onion.bounded.places.strangers == limits.CONNECTIONS_PER_CIRCUIT
    assert (await onion.ask(FLOOD + 1, 1)).word == "ok"


async def test_invariant_7_many_circuits_push_out_no_member_and_no_lone_newcomer(
    onion: Onion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attacker with many circuits reopens connections all the time; the proven one stays."""
    monkeypatch.setattr(limits, "CONNECTIONS_INBOUND", 20)
    member = await onion.caller(1)
    assert (await member.ask(onion.request(1))).word == "ok"
    newcomer = await onion.caller(2)
    for number in range(100):
        await onion.caller(10 + number % 10)
    assert (await newcomer.ask(onion.request(1))).word == "ok"
    assert (await member.ask(onion.request(1))).word == "ok"
    assert onion.server.endpoint.statistics["evicted"] >= 80
