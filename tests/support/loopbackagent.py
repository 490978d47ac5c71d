"""An agent as a process that reaches others over loopback under their onion names.

`python -m tests.support.loopbackagent DATA_DIR CONFIG BOARD`: everything else is `enigma-fed run`. In the
folder BOARD each agent leaves its port, under its onion's name, and the random bytes that it drew.
asyncio runs in debug mode and complains of every callback: that is when it shows most of what it works on.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import socket
import sys
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from enigma_fed import config
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.operations import RemoteOperations
from enigma_fed.daemon.paths import resolve_paths
from enigma_fed.rpc.client import SigningRequest
from enigma_fed.transports.replybounds import bound_replies


class Board(AbstractResolver):
    """What the agents of one test know of each other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The loopback port behind an onion's name; OSError while nobody has left one."""
        found = int((self._folder / host).read_text())
        return [ResolveResult(hostname=host, host="127.0.0.1", port=found, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is kept."""

    def session(self) -> aiohttp.ClientSession:
        """A session that finds onions here."""
        connector = aiohttp.TCPConnector(resolver=self, use_dns_cache=False, family=socket.AF_INET)
        bound_replies(connector)
        return aiohttp.ClientSession(connector=connector, request_class=SigningRequest)

    def draw(self, size: int) -> bytes:
        """Random bytes, written down for the search."""
        drawn = os.urandom(size)
        with (self._folder / f"{os.getpid()}.drawn").open("a") as file:
            file.write(f"{drawn.hex()}\n")
        return drawn


async def run(data_dir: str, config_file: str, board: Board, folder: Path) -> None:
    """Start the agent, say where it is, and end it at SIGTERM."""
    paths = resolve_paths(data_dir, config_file, os.environ)
    settings = config.load(paths.config, os.environ).settings
    agent = Agent(settings, paths, session=board.session, random=board.draw)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 0.0
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await agent.start()
    status = await asyncio.to_thread(RemoteOperations(paths.control_socket).status)
    assert status.listen is not None
    port = status.listen.rpartition(":")[2]
    await asyncio.to_thread((folder / status.node.onion).write_text, port)
    await stop.wait()
    await agent.close()


def main() -> None:
    """The process."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    data_dir, config_file, folder = sys.argv[1:]
    with asyncio.Runner(debug=True) as runner:
        runner.run(run(data_dir, config_file, Board(Path(folder)), Path(folder)))


if __name__ == "__main__":
    main()
