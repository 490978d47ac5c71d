"""A home of its own for each test, with sockets in a folder of a short name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from enigma_fed import config
from enigma_fed.config import Settings
from enigma_fed.daemon.paths import Paths


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
