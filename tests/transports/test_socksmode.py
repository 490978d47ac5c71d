"""A tor of which only the SOCKS port is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest
import pytest_asyncio

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable
from enigma_fed.base.tasks import Tasks
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.socksmode import SocksSettings, SocksTor, answers
from enigma_fed.transports.tor.status import TorPhase
from enigma_fed.transports.tor.supervision import TorNeeds
from tests.support.fakenetwork import until
from tests.support.manualclock import ManualClock


class Port:
    """A SOCKS port that greets, and can go away."""

    def __init__(self, path: Path, greeting: bytes = b"\x05\x00") -> None:
        self.path = path
        self._greeting = greeting

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._greet, str(self.path))

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(self._greeting)
        writer.close()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint.unix(str(self.path))


@pytest_asyncio.fixture
async def port(tmp_path: Path) -> AsyncIterator[Port]:
    made = Port(tmp_path / "socks")
    await made.open()
    yield made
    await made.close()


class Agent:
    """A SocksTor and whether its onion answers."""

    def __init__(self, port: Port) -> None:
        self.clock = ManualClock()
        self.tasks = Tasks()
        self.reached = False
        needs = TorNeeds(self.tasks, self.clock, self._probe, lambda status: None)
        self.tor = SocksTor(SocksSettings(port.endpoint, "because"), OnionKey(b"\1" * 32).address, needs)

    async def _probe(self) -> bool:
        if not self.reached:
            raise PeerUnreachable
        return True

    async def __aenter__(self) -> Self:
        await self.tor.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.tor.close()
        await self.tasks.close()


async def test_calls_can_go_out_before_the_owner_has_made_the_onion(port: Port) -> None:
    async with Agent(port) as agent:
        await until(lambda: agent.tor.status.phase is TorPhase.PROBING)
        assert agent.tor.socks == port.endpoint
        await until(lambda: agent.clock.sleepers == 1)
        agent.clock.advance(10_000)  # however long it takes: only the owner can mend that onion
        await until(lambda: agent.clock.sleepers == 1)
        status = agent.tor.status
        assert (status.repairs, status.restarts) == (0, 0)
        assert (status.mode, status.pow) == (TorMode.SOCKS, None)
        agent.reached = True
        agent.clock.advance(10_000)
        await agent.tor.wait_ready()


async def test_a_port_that_goes_away_is_noticed_and_found_again(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOR_HEARTBEAT", 0.02)
    async with Agent(port) as agent:
        agent.reached = True
        await agent.tor.wait_ready()
        await port.close()
        port.path.unlink(missing_ok=True)
        await until(lambda: agent.tor.status.phase is TorPhase.FAILED)
        assert "nothing answers" in agent.tor.status.reason
        assert agent.tor.socks is None
        await port.open()
        await until(lambda: agent.clock.sleepers > 0)
        agent.clock.advance(limits.TOR_CONTROL_RETRY_MAX)
        await agent.tor.wait_ready()


async def test_what_does_not_speak_socks_is_no_tor(tmp_path: Path) -> None:
    other = Port(tmp_path / "other", b"HTTP/1.1 400 Bad Request")
    await other.open()
    assert not await answers(other.endpoint)
    await other.close()
    assert not await answers(Endpoint.unix(str(tmp_path / "nobody")))
