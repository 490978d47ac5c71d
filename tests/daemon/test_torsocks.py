"""The SOCKS port for a command that calls an onion by itself, found on a machine made of fakes."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from enigma_fed.base.clock import SystemClock
from enigma_fed.base.errors import NoWayOut
from enigma_fed.base.tasks import Tasks
from enigma_fed.config import TorSection
from enigma_fed.daemon import torplan, torsocks
from enigma_fed.daemon.paths import Paths
from enigma_fed.daemon.torsocks import find_socks
from enigma_fed.transports.tor.binary import default_cache, find_tor
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.folders import TorFolders
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.service import ManagedTor, TorSettings
from enigma_fed.transports.tor.socksmode import answers
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.transports.tor.supervision import TorNeeds
from tests.support.fakecontrol import FakeControl
from tests.support.tornet import NOBODYS_NETWORK

AUTO = TorSection()


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No tor at all at first; what a machine's tor would listen on is below this folder."""
    monkeypatch.setattr(torplan, "USUAL_CONTROL", (Endpoint.unix(str(tmp_path / "control")),))
    monkeypatch.setattr(torsocks, "USUAL_SOCKS", Endpoint.unix(str(tmp_path / "socks")))
    return tmp_path


async def found(settings: TorSection, paths: Paths) -> str:
    return str(await find_socks(settings, paths, {}))


async def test_the_owners_word_counts_first(paths: Paths) -> None:
    assert await found(replace(AUTO, socks="127.0.0.1:9150"), paths) == "127.0.0.1:9150"


async def test_off_is_off(paths: Paths) -> None:
    with pytest.raises(NoWayOut, match="--socks"):
        await found(replace(AUTO, mode="off", socks="127.0.0.1:9150"), paths)


async def test_the_agents_own_tor(paths: Paths, machine: Path) -> None:
    control = TorFolders(paths.tor_dir, paths.runtime_dir).control_socket
    control.parent.mkdir(parents=True)
    async with FakeControl(control) as own, FakeControl(machine / "control") as other:
        own.info["net/listeners/socks"] = '"127.0.0.1:41111"'
        assert await found(AUTO, paths) == "127.0.0.1:41111"
        assert await found(replace(AUTO, mode="managed"), paths) == "127.0.0.1:41111"
        assert other.connections == 0
        assert not own.heard("TAKEOWNERSHIP")


async def test_the_machines_tor(paths: Paths, machine: Path) -> None:
    async with FakeControl(machine / "control"):
        assert await found(AUTO, paths) == "127.0.0.1:9050"
        with pytest.raises(NoWayOut):
            await found(replace(AUTO, mode="managed"), paths)


async def test_a_tor_that_listens_on_nothing(paths: Paths, machine: Path) -> None:
    async with FakeControl(machine / "control") as control:
        control.info["net/listeners/socks"] = ""
        with pytest.raises(NoWayOut, match="enigma-fed run"):
            await found(AUTO, paths)


async def test_the_usual_port(paths: Paths, machine: Path) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)
        writer.write(b"\x05\x00")
        writer.close()

    server = await asyncio.start_unix_server(greet, str(machine / "socks"))
    async with server:
        assert await found(AUTO, paths) == f"unix:{machine}/socks"


@pytest.mark.tor
async def test_a_real_tor_of_an_agent_is_asked_as_one_that_is_not_ours(paths: Paths, tmp_path: Path) -> None:
    """It stays the agent's: the question neither ends it nor takes it over."""
    extra = tmp_path / "nobody.torrc"
    extra.write_text(NOBODYS_NETWORK)
    binary = find_tor(None, os.environ, default_cache(os.environ))
    settings = TorSettings(paths.tor_dir, paths.runtime_dir, paths.rpc_socket, binary, torrc_extra=extra)
    statuses: asyncio.Queue[TorStatus] = asyncio.Queue()
    needs = TorNeeds(Tasks(), SystemClock(), _nobody_answers, statuses.put_nowait)
    tor = ManagedTor(settings, OnionKey(b"\1" * 32), needs)
    await tor.start()
    try:
        async with asyncio.timeout(60):
            while (await statuses.get()).phase is not TorPhase.BOOTSTRAPPING:
                pass
            socks = await find_socks(AUTO, paths, {})
        assert (socks.host, socks.is_unix) == ("127.0.0.1", False)
        assert await answers(socks)
        assert await find_socks(AUTO, paths, {}) == socks
        assert tor.status.restarts == 0
    finally:
        await tor.close()


async def _nobody_answers() -> bool:
    return False
