"""Times and counts around our own tor, with short limits in the place of the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, TorFailed
from enigma_fed.base.tasks import Tasks
from enigma_fed.transports.tor.binary import TorBinary, ask_abilities
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.controlwords import add_onion_line
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.folders import TorFolders, prepare, read_extra
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.service import ManagedTor, TorSettings
from enigma_fed.transports.tor.supervision import TorNeeds
from enigma_fed.transports.tor.system import SystemSettings, SystemTor
from enigma_fed.transports.tor.torrc import OnionLines, TorrcValues, render
from tests.support.fakenetwork import until
from tests.support.manualclock import ManualClock


class Probed:
    """A ManagedTor without a process, whose probes are counted and may hang."""

    def __init__(self, folder: Path) -> None:
        self.probes = 0
        self.gate = asyncio.Event()
        self.clock = ManualClock()
        self.tasks = Tasks()
        settings = TorSettings(folder / "tor", folder / "run", folder / "sock", TorBinary(folder / "none"))
        self.tor = ManagedTor(
            settings,
            OnionKey(b"\1" * 32),
            TorNeeds(self.tasks, self.clock, self._probe, lambda status: None),
        )

    async def _probe(self) -> bool:
        self.probes += 1
        await self.gate.wait()
        return True


@pytest.fixture
async def probed(tmp_path: Path) -> AsyncIterator[Probed]:
    made = Probed(tmp_path)
    yield made
    await made.tasks.close()


async def test_a_probe_that_hangs_is_given_up(probed: Probed, monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.SELF_PROBE_TIMEOUT."""
    monkeypatch.setattr(limits, "SELF_PROBE_TIMEOUT", 0.02)
    assert not await probed.tor._probe_once()
    probed.gate.set()
    assert await probed.tor._probe_once()


async def test_a_ready_node_reaches_itself_every_five_minutes(probed: Probed) -> None:
    """limits.SELF_PROBE_INTERVAL."""
    probed.gate.set()
    watching = asyncio.create_task(probed.tor._stay_ready())
    await until(lambda: probed.clock.sleepers == 1)
    probed.clock.advance(limits.SELF_PROBE_INTERVAL - 1)
    assert (probed.probes, probed.clock.sleepers) == (0, 1)
    probed.clock.advance(1)
    await until(lambda: probed.probes == 1)
    watching.cancel()
    await asyncio.wait({watching})


async def test_a_start_that_gets_no_further_is_said_so(
    probed: Probed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """limits.TOR_STALL."""
    monkeypatch.setattr(limits, "TOR_STALL", 0.02)
    watching = asyncio.create_task(probed.tor._watch_bootstrap())
    await until(lambda: "gets no further" in probed.tor.status.reason)
    watching.cancel()
    await asyncio.wait({watching})


def test_streams_of_one_circuit() -> None:
    """limits.TOR_STREAMS_PER_CIRCUIT: tor itself refuses more; one circuit cannot hold every connection."""
    values = TorrcValues(
        *(Path("/data") / name for name in ("state", "control", "cookie", "log")),
        owner_pid=1,
        onions=(OnionLines(Path("/data/onion"), ((80, Path("/run/sock")),)),),
    )
    assert f"HiddenServiceMaxStreams {limits.TOR_STREAMS_PER_CIRCUIT}" in render(values).splitlines()
    assert limits.TOR_STREAMS_PER_CIRCUIT * 4 <= limits.CONNECTIONS_INBOUND


def test_proof_of_work_lets_no_more_callers_wait_than_there_are_connections_for() -> None:
    """limits.TOR_POW_QUEUE_RATE and limits.TOR_POW_QUEUE_BURST, in both ways to tell tor."""
    line = add_onion_line(bytes(64), ((80, "127.0.0.1:1"),), pow_defence=True)
    assert f"PoWQueueRate={limits.TOR_POW_QUEUE_RATE} PoWQueueBurst={limits.TOR_POW_QUEUE_BURST}" in line
    values = TorrcValues(
        *(Path("/data") / name for name in ("state", "control", "cookie", "log")),
        owner_pid=1,
        onions=(OnionLines(Path("/data/onion"), ((80, Path("/run/sock")),), pow_defence=True),),
    )
    lines = render(values).splitlines()
    assert f"HiddenServicePoWQueueRate {limits.TOR_POW_QUEUE_RATE}" in lines
    assert f"HiddenServicePoWQueueBurst {limits.TOR_POW_QUEUE_BURST}" in lines


def test_a_program_that_hangs_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.TOR_PROGRAM_PATIENCE."""
    monkeypatch.setattr(limits, "TOR_PROGRAM_PATIENCE", 0.1)
    program = tmp_path / "tor"
    program.write_text("#!/bin/sh\nexec sleep 30\n")
    program.chmod(0o755)
    assert ask_abilities(TorBinary(program)).version == ""


async def test_a_control_port_that_is_gone_is_looked_for_again_soon(tmp_path: Path) -> None:
    """limits.TOR_CONTROL_RETRY_MAX."""
    clock, tasks = ManualClock(), Tasks()

    async def probe() -> bool:
        return True

    nobody = ControlAccess(Endpoint.unix(str(tmp_path / "nobody")))
    settings = SystemSettings((nobody,), lambda: Endpoint("127.0.0.1", 1))
    tor = SystemTor(settings, OnionKey(b"\1" * 32), TorNeeds(tasks, clock, probe, lambda status: None))
    await tor.start()
    for times in range(1, 12):
        await until(lambda: clock.sleepers == 1)
        assert tor.status.restarts == times
        clock.advance(limits.TOR_CONTROL_RETRY_MAX)
        await until(lambda: tor.status.restarts > times)  # noqa: B023 - awaited at once
    await tor.close()


def test_extra_lines(tmp_path: Path) -> None:
    """limits.TORRC_EXTRA_BYTES."""
    path = tmp_path / "extra"
    path.write_text("#" * limits.TORRC_EXTRA_BYTES)
    assert len(read_extra(path)) == limits.TORRC_EXTRA_BYTES
    path.write_text("#" * (limits.TORRC_EXTRA_BYTES + 1))
    with pytest.raises(ConfigError):
        read_extra(path)


def test_the_log_of_tor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.TOR_LOG_BYTES: set aside at a start once it is larger."""
    folders = TorFolders(tmp_path / "tor", tmp_path / "run")
    prepare(folders, [], None)
    monkeypatch.setattr(limits, "TOR_LOG_BYTES", 4)
    for text, kept in (("1234", True), ("12345", False)):
        folders.log.write_text(text)
        prepare(folders, [], None)
        assert (folders.log.read_text() == text) is kept


def test_the_path_of_a_socket(tmp_path: Path) -> None:
    """limits.UNIX_PATH_BYTES."""
    short = TorFolders(tmp_path / "tor", tmp_path / "run")
    left = limits.UNIX_PATH_BYTES - len(bytes(short.control_socket))
    prepare(TorFolders(tmp_path / "tor", tmp_path / ("run" + "x" * left)), [], None)
    with pytest.raises(TorFailed, match="too long a name"):
        prepare(TorFolders(tmp_path / "tor", tmp_path / ("run" + "x" * (left + 1))), [], None)
