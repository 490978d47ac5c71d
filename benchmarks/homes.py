"""Many small homes in one process, behind one tor: what an agent under measurement has for peers.

`python -m benchmarks.homes FOLDER COUNT CONTROL` runs so many agents, with data in FOLDER/1, FOLDER/2 and so
on, in mode `system` at tor's control socket CONTROL, until its standard input ends. They are whole agents, so
they poll, stream and answer as any peer does.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from enigma_fed import config
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.operations import RemoteOperations
from enigma_fed.daemon.paths import Paths, resolve_paths
from enigma_fed.demo.torprocess import PlainTor

_CONFIG: Final = """\
[node]
name = "home {number}"

[rpc]
listen = ""

[admin]
listen = ""

[tor]
mode = "system"
control = "unix:{control}"

[clock]
synchronised = "assume"
"""


class Homes:
    """The process, as the benchmark sees it; `tor` runs and is on the network."""

    def __init__(self, folder: Path, count: int, tor: PlainTor) -> None:
        self._folder = folder
        self._count = count
        self._tor = tor
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until every agent takes commands."""
        command = [str(self._folder), str(self._count), str(self._tor.folder / "control")]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.homes",
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        if not await self._process.stdout.readline():
            raise RuntimeError("the homes did not start")

    @property
    def operations(self) -> list[RemoteOperations]:
        """Commands for each of them."""
        numbers = range(1, self._count + 1)
        return [RemoteOperations(_paths(self._folder, number).control_socket) for number in numbers]

    async def close(self) -> None:
        """End it."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._process.wait()


def _paths(folder: Path, number: int) -> Paths:
    return resolve_paths(str(folder / str(number)), str(folder / f"{number}.toml"), {})


async def _run(folder: Path, count: int, control: str) -> None:
    async with AsyncExitStack() as stack:
        for number in range(1, count + 1):
            paths = _paths(folder, number)
            text = _CONFIG.format(number=number, control=control)
            await asyncio.to_thread((folder / f"{number}.toml").write_text, text)
            settings = config.load(paths.config, {}).settings
            agent = Agent(settings, paths, environ={}, keep_log=False)
            await agent.start()
            stack.push_async_callback(agent.close)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Run until standard input ends."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with asyncio.Runner() as runner:
        runner.run(_run(folder, int(sys.argv[2]), sys.argv[3]))


if __name__ == "__main__":
    main()
