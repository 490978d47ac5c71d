"""Homes of its own for each test, with sockets in a folder of a short name."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from enigma_fed import config
from enigma_fed.config import Settings
from enigma_fed.daemon.paths import Paths
from tests.support.agents import Build, Home, Onions


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """A private folder for sockets: the path of a Unix socket has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="ef-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def paths(tmp_path: Path, runtime_dir: Path) -> Paths:
    """Paths of a node that does not exist yet."""
    return Paths(data_dir=tmp_path / "data", config=None, runtime_dir=runtime_dir)


@pytest.fixture
def settings() -> Settings:
    """No Tor, a free loopback port, a clock that is taken as right."""
    flags = {
        "tor.mode": "off",
        "rpc.listen": "127.0.0.1:0",
        "admin.listen": "",
        "clock.synchronised": "assume",
    }
    return config.load(None, {}, {**flags, "node.name": "attic"}).settings


@pytest_asyncio.fixture
async def build(tmp_path: Path, runtime_dir: Path, settings: Settings) -> AsyncIterator[Build]:
    onions = Onions()
    homes: list[Home] = []

    def made(name: str) -> Home:
        own = dataclasses.replace(settings, node=dataclasses.replace(settings.node, name=name))
        homes.append(Home(Paths(tmp_path / name, None, runtime_dir), own, onions))
        return homes[-1]

    yield made
    for home in homes:
        await home.agent.close()
