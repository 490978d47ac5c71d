"""SQLite databases over many kills in the middle of commits, and over many ways to be garbled.

DATABASE_KILLS and HISTORY_FLIPS say how many.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Final

import pytest

from enigma_fed.storage import sqlitefile
from tests.state.test_historystore import garbled
from tests.storage.test_sqlite_kills import killed
from tests.support.sqlitefiles import FIRST, made, words

KILLS: Final = int(os.environ.get("DATABASE_KILLS", "200"))
FLIPS: Final = int(os.environ.get("HISTORY_FLIPS", "2000"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "store"
    inner.mkdir(mode=0o700)
    return inner


@pytest.mark.timeout(3600)
def test_invariant_5_killed_writers_lose_nothing_that_they_acknowledged(folder: Path) -> None:
    path, chance, begun, known, unfinished = made(folder), random.Random(KILLS), time.monotonic(), 0, 0
    for number in range(KILLS):
        acknowledged = killed(path, known, chance.random() * 0.06)
        sqlitefile.check(path, FIRST)
        found = words(path)
        known = len(found)
        assert found == [f"{each:08}" for each in range(1, known + 1)], f"kill {number}"
        assert known in (acknowledged, acknowledged + 3), f"kill {number}"
        unfinished += known > acknowledged
    print(
        f"kill -9 of a database: {KILLS} kills, {known} changes, 0 acknowledged ones lost, {unfinished} "
        f"groups found that were not told yet, {time.monotonic() - begun:.0f} s"
    )


@pytest.mark.timeout(3600)
async def test_whatever_is_garbled_ends_in_an_error_of_ours_or_in_sense(folder: Path) -> None:
    refused = await garbled(folder, FLIPS)
    print(f"garbled history.db: {FLIPS} files, {refused} refused and begun anew, 0 faults")
