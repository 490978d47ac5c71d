"""The agent as a process: what it tells systemd and when, and what signals do."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from enigma_fed.base.errors import ConfigError, StoreDamaged
from enigma_fed.config import Settings
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.lifecycle import serve, tor_sentence
from enigma_fed.daemon.notify import Notifier
from enigma_fed.daemon.reload import Unsettled
from enigma_fed.storage.folderlock import FolderLock
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from tests.support.notifysocket import NotifySocket

INTERVAL = 0.05


@pytest.fixture
def systemd(runtime_dir: Path) -> Iterator[NotifySocket]:
    with NotifySocket(runtime_dir / "notify") as found:
        yield found


class SlowAgent:
    """An agent whose start and end a test decides."""

    def __init__(self, error: Exception | None = None) -> None:
        self.may_start = asyncio.Event()
        self.closed = False
        self.node = SimpleNamespace(tor_status=TorStatus(TorPhase.OFF), unsettled=Unsettled(("tor.mode",)))
        self.reloaded: list[Settings] = []
        self._error = error

    async def start(self) -> None:
        await self.may_start.wait()
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        self.closed = True

    async def reload(self, wanted: Settings) -> None:
        self.reloaded.append(wanted)


def begin(
    agent: SlowAgent, systemd: NotifySocket, *, interval: float | None, reread: Callable[[], Settings]
) -> asyncio.Task[None]:
    async def serving() -> None:
        with closing(Notifier(systemd.name, interval)) as notifier:
            await serve(cast(Agent, agent), notifier, reread)

    return asyncio.create_task(serving())


async def end(serving: asyncio.Task[None]) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(60):
        await serving


async def test_ready_is_said_only_when_the_start_is_complete(
    systemd: NotifySocket, settings: Settings
) -> None:
    agent = SlowAgent()
    serving = begin(agent, systemd, interval=None, reread=lambda: settings)
    assert await systemd.soon() == {"STATUS": "opening the stores"}
    assert systemd.waiting() == []
    agent.may_start.set()
    said = await systemd.soon()
    assert said == {"READY": "1", "STATUS": "Tor is switched off: no peer can reach this node"}
    await end(serving)
    assert await systemd.soon() == {"STOPPING": "1", "STATUS": "finishing answers under way"}
    assert agent.closed


async def test_a_start_that_fails_is_never_ready(systemd: NotifySocket, settings: Settings) -> None:
    agent = SlowAgent(StoreDamaged("nodes.json"))
    agent.may_start.set()
    with pytest.raises(StoreDamaged):
        await begin(agent, systemd, interval=None, reread=lambda: settings)
    assert all("READY" not in said for said in systemd.waiting())
    assert agent.closed


async def test_signs_of_life_stop_while_the_loop_is_blocked(
    systemd: NotifySocket, settings: Settings
) -> None:
    agent = SlowAgent()
    agent.may_start.set()
    serving = begin(agent, systemd, interval=INTERVAL, reread=lambda: settings)
    while "WATCHDOG" not in await systemd.soon():
        pass
    systemd.waiting()
    assert systemd.is_silent(10 * INTERVAL)  # blocks this loop
    while "WATCHDOG" not in await systemd.soon():
        pass
    await end(serving)


async def test_sighup_reloads_and_says_so(systemd: NotifySocket, settings: Settings) -> None:
    agent = SlowAgent()
    agent.may_start.set()
    serving = begin(agent, systemd, interval=None, reread=lambda: settings)
    while "READY" not in await systemd.soon():
        pass
    os.kill(os.getpid(), signal.SIGHUP)
    said = await systemd.soon()
    assert said["RELOADING"] == "1"
    assert int(said["MONOTONIC_USEC"]) > 0
    assert (await systemd.soon())["READY"] == "1"
    assert agent.reloaded == [settings]
    await end(serving)


async def test_a_configuration_that_is_refused_leaves_the_old_one(
    systemd: NotifySocket, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> Settings:
        raise ConfigError("log.level in config.toml must be one of: debug, info")

    agent = SlowAgent()
    agent.may_start.set()
    serving = begin(agent, systemd, interval=None, reread=refuse)
    while "READY" not in await systemd.soon():
        pass
    os.kill(os.getpid(), signal.SIGHUP)
    assert "RELOADING" in await systemd.soon()
    said = await systemd.soon()
    assert said["STATUS"].startswith("the new configuration was refused: log.level")
    assert agent.reloaded == []
    assert agent.node.unsettled == Unsettled(
        ("tor.mode",), "log.level in config.toml must be one of: debug, info"
    )
    assert "the settings stay as they were" in caplog.text
    await end(serving)


@contextmanager
def running(folder: Path, config: Path, systemd: NotifySocket) -> Iterator[subprocess.Popen[str]]:
    """`enigma-fed run` as systemd would start it, ended at the end."""
    command = [sys.executable, "-m", "enigma_fed", "--data-dir", str(folder), "--config", str(config), "run"]
    environ = {**os.environ, "NOTIFY_SOCKET": systemd.name, "WATCHDOG_USEC": "20000000"}
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environ, text=True, **streams) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)


def write_config(path: Path, level: str) -> None:
    path.write_text(
        f'[tor]\nmode = "off"\n[rpc]\nlisten = "127.0.0.1:0"\n[admin]\nlisten = ""\n'
        f'[log]\nlevel = "{level}"\n',
        encoding="utf-8",
    )


def test_a_real_agent_is_ready_only_with_the_lock_and_its_stores(
    tmp_path: Path, systemd: NotifySocket
) -> None:
    config = tmp_path / "config.toml"
    write_config(config, "info")
    lock = FolderLock(tmp_path / "data")
    lock.acquire(1.0)
    with running(tmp_path / "data", config, systemd) as process:
        while "STATUS" not in systemd.next():
            pass
        assert not any("READY" in said for said in systemd.waiting())
        lock.release()
        systemd.until("READY")
        assert (tmp_path / "data" / "federation" / "nodes.json").exists()
        process.send_signal(signal.SIGTERM)
        systemd.until("STOPPING")
        assert process.wait(timeout=60) == 0


def test_a_real_agent_takes_a_new_log_level_and_refuses_a_bad_one(
    tmp_path: Path, systemd: NotifySocket
) -> None:
    config = tmp_path / "config.toml"
    write_config(config, "warning")
    with running(tmp_path / "data", config, systemd) as process:
        systemd.until("READY")
        write_config(config, "loud")
        process.send_signal(signal.SIGHUP)
        assert "refused" in systemd.until("READY")[-1]["STATUS"]
        write_config(config, "info")
        process.send_signal(signal.SIGHUP)
        assert "refused" not in systemd.until("READY")[-1]["STATUS"]
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert "log.level in" in said
    assert "now in force: log.level" in said
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (TorStatus(TorPhase.READY, 100), "peers can reach this node through Tor"),
        (TorStatus(TorPhase.BOOTSTRAPPING, 45), "Tor is bootstrapping at 45 %"),
        (TorStatus(TorPhase.FAILED, reason="it ended"), "Tor is failed at 0 %: it ended"),
    ],
)
def test_the_status_line_says_how_far_tor_is(status: TorStatus, sentence: str) -> None:
    assert tor_sentence(status) == sentence
