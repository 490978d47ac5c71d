"""Times and counts around our own tor, with short limits in the place of the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, TorFailed
from enigma_fed.base.tasks import Tasks
from enigma_fed.transports.tor.binary import TorBinary
from enigma_fed.transports.tor.folders import TorFolders, prepare, read_extra
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.service import ManagedTor, TorSettings
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
            tasks=self.tasks,
            clock=self.clock,
            probe=self._probe,
            on_change=lambda status: None,
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
