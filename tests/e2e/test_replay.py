"""Invariant 1 on a real process: what was captured before a kill -9 is worthless after it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from enigma_fed.base.errors import AgentNotRunning
from enigma_fed.base.ids import Did
from enigma_fed.daemon.operations import RemoteOperations
from enigma_fed.daemon.paths import resolve_paths
from tests.support.captor import Captor
from tests.support.signedcalls import key

PATIENCE = 90.0
"""Seconds until an agent answers, on a busy machine."""


class Home:
    """An agent as a process, without Tor, on a free loopback port."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        (folder / "config.toml").touch()
        cleared = {name: value for name, value in os.environ.items() if not name.startswith("ENIGMA_FED_")}
        self._environment = {
            **cleared,
            "XDG_RUNTIME_DIR": str(sockets),
            "ENIGMA_FED_CONFIG": str(folder / "config.toml"),
            "ENIGMA_FED_TOR__MODE": "off",
            "ENIGMA_FED_RPC__LISTEN": "127.0.0.1:0",
            "ENIGMA_FED_ADMIN__LISTEN": "",
            "ENIGMA_FED_CLOCK__SYNCHRONISED": "assume",
        }
        self._data_dir = str(folder / "data")
        socket = resolve_paths(self._data_dir, None, self._environment).control_socket
        self.operations = RemoteOperations(socket)
        self.process: Process

    async def start(self) -> str:
        """The address where it listens, once it does."""
        line = ("-m", "enigma_fed", "--data-dir", self._data_dir, "run")
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, *line, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, env=self._environment
        )
        async with asyncio.timeout(PATIENCE):
            while True:
                assert self.process.returncode is None, "the agent ended"
                try:
                    status = await asyncio.to_thread(self.operations.status)
                except AgentNotRunning:
                    await asyncio.sleep(0.1)
                    continue
                assert status.listen is not None
                return status.listen

    async def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        await self.process.wait()


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder of a short name: the path of a Unix socket has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="ef-"))
    yield folder
    shutil.rmtree(folder)


async def test_invariant_1_nothing_captured_is_good_again_after_kill_9(tmp_path: Path, sockets: Path) -> None:
    home = Home(tmp_path, sockets)
    try:
        address = await home.start()
        own = Did.parse((await asyncio.to_thread(home.operations.identity)).did)
        made = await asyncio.to_thread(home.operations.invite_create, "trusted", 3600)
        assert made.code is not None
        async with aiohttp.ClientSession() as session:
            captor = Captor(session, key(1), own, address)
            assert await captor.join(made.code, time.time()) == "ok"
            assert await captor.call(time.time()) == "ok"
            assert await captor.call(time.time(), "package.install", {"id": "app"}) == "refused"
            before = list(captor.sent)
            assert [await captor.play(sent) for sent in before[1::2]] == ["replayed"] * 3

            await home.kill()
            captor.address = await home.start()
            assert [await captor.play(sent) for sent in before] == ["stale", "bad-challenge"] * 3
            answer = await captor.post(before[2])
            assert answer.challenge is not None
            assert await captor.play(before[2], Federation_Challenge=answer.challenge) == "malformed"
            assert await captor.call(time.time()) == "ok", "the member itself goes on"
    finally:
        await home.kill()
