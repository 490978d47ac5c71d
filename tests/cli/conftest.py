"""No test of the command line sees the configuration, the data or the variables of whoever runs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in os.environ:
        if name.startswith("ENIGMA_FED_"):
            monkeypatch.delenv(name)
    empty: Path = tmp_path_factory.mktemp("empty")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(empty))
