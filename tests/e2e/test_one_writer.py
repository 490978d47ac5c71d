"""Many commands at once on one data folder lose nothing, with and without an agent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enigma_fed.storage.folderlock import FolderLock

COMMANDS = 10
PATIENCE = 90.0
"""Seconds for everything that a test waits for: many Python starts on a busy machine."""


class Home:
    """A data folder, and processes of the command line that work on it."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        self.data_dir = folder / "data"
        (folder / "config.toml").touch()
        cleared = {name: value for name, value in os.environ.items() if not name.startswith("ENIGMA_FED_")}
        self._environment = {
            **cleared,
            "XDG_RUNTIME_DIR": str(sockets),
            "ENIGMA_FED_CONFIG": str(folder / "config.toml"),
            "ENIGMA_FED_TOR__MODE": "off",
            "ENIGMA_FED_RPC__LISTEN": "",
            "ENIGMA_FED_ADMIN__LISTEN": "",
        }

    async def begin(self, *arguments: str) -> Process:
        line = ("-m", "enigma_fed", "--data-dir", str(self.data_dir), "--json", *arguments)
        return await asyncio.create_subprocess_exec(
            sys.executable, *line, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=self._environment
        )

    async def run(self, *arguments: str) -> Any:
        return await finished(await self.begin(*arguments))

    async def invites(self) -> set[str]:
        return {invite["code"] for invite in await self.run("invite", "list")}

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[None]:
        """A running agent, once it says that it is up; it ends in order."""
        process = await self.begin("run")
        try:
            await said(process, b" is up as ")
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await process.communicate()
        assert process.returncode == 0


async def finished(process: Process) -> Any:
    """What a command gave out, once it ended well."""
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return msgspec.json.decode(output)


async def said(process: Process, words: bytes) -> None:
    """Return once the process has said this on standard error."""
    assert process.stderr is not None
    while words not in (line := await process.stderr.readline()):
        assert line, "it ended"


async def created(processes: list[Process]) -> set[str]:
    """The codes that the commands gave out: each a different one."""
    codes = {invite["code"] for invite in await asyncio.gather(*map(finished, processes))}
    assert len(codes) == len(processes)
    return codes


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    sockets = Path(tempfile.mkdtemp(prefix="ef-"))
    yield Home(tmp_path, sockets)
    shutil.rmtree(sockets)


async def test_invariant_5_commands_at_once_without_an_agent_lose_nothing(home: Home) -> None:
    async with asyncio.timeout(PATIENCE):
        await home.run("init", "--name", "attic")
        lock = FolderLock(home.data_dir)
        await asyncio.to_thread(lock.acquire, 1.0)
        try:
            processes = [await home.begin("invite", "create") for _ in range(COMMANDS)]
            await said(processes[0], b"waiting for the node")  # the others are waiting, or about to
        finally:
            lock.release()
        codes = await created(processes)
        assert await home.invites() == codes


async def test_invariant_5_commands_at_once_through_an_agent_lose_nothing(home: Home) -> None:
    async with asyncio.timeout(PATIENCE):
        await home.run("init", "--name", "attic")
        async with home.agent():
            codes = await created([await home.begin("invite", "create") for _ in range(COMMANDS)])
            assert await home.invites() == codes
        assert await home.invites() == codes  # from the files, once the agent has ended
