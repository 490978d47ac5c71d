"""One private Tor network for all tests of a session that need real Tor (`@pytest.mark.tor`)."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from enigma_fed.base.errors import TorMissing
from enigma_fed.demo.network import PrivateTorNetwork
from enigma_fed.demo.torprocess import PlainTor
from enigma_fed.transports.tor.binary import TorBinary, default_cache, find_tor
from tests.support.prerequisites import missing

T = TypeVar("T")

NOBODYS_NETWORK = f"""\
DirAuthority nobody orport=1 v3ident={"A" * 40} 127.0.0.1:1 {"B" * 40}
"""
"""Lines for a tor that needs no network: its only authority is a closed port of this machine."""


@dataclass(frozen=True)
class TorNetwork:
    """The running network, as tests see it."""

    binary: TorBinary
    client_torrc: str
    """Lines for a tor that is to be a client of it."""
    pids: tuple[int, ...]

    @property
    def client_torrc_of_nobody(self) -> str:
        """The client lines with a closed port for each authority: all refuse, and tor soon says so."""
        return re.sub(r"(orport=|127\.0\.0\.1:)\d+", r"\g<1>1", self.client_torrc)

    def extra_file(self, folder: Path) -> Path:
        """A file with the client lines, for TorSettings.torrc_extra."""
        path = folder / "private-network.torrc"
        path.write_text(self.client_torrc, encoding="utf-8")
        return path

    def plain_client(self, folder: Path, *more: str) -> PlainTor:
        """A tor of its own on this network, not started yet; `more` are lines for its torrc."""
        lines = ["ClientOnly 1", "SocksPort 127.0.0.1:auto ExtendedErrors", *self.client_torrc.splitlines()]
        return PlainTor(self.binary, folder, [*lines, *more])


class LoopThread:
    """An event loop in a thread of its own: the network outlives the loops of the tests."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tor network", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """End the thread."""
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def require_tor() -> TorBinary:
    """The tor program; without one the test is skipped, or fails where CI promises to have it."""
    try:
        return find_tor(None, os.environ, default_cache(os.environ))
    except TorMissing as error:
        missing(str(error))


@pytest.fixture(scope="session")
def tor_network() -> Iterator[TorNetwork]:
    """The session's private Tor network; the first test that asks for it waits about 20 s."""
    binary = require_tor()
    thread = LoopThread()
    network = PrivateTorNetwork(binary)
    try:
        thread.run(network.start(lambda text: print(f"private Tor network: {text}")))
        yield TorNetwork(binary, network.client_torrc, tuple(network.pids))
    finally:
        thread.run(network.close())
        thread.close()
