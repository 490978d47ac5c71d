"""What the doctor says of history.db."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from enigma_fed.config import Settings
from enigma_fed.daemon.checks import history
from enigma_fed.daemon.checks.scene import Scene
from enigma_fed.daemon.init import initialise
from enigma_fed.daemon.paths import Paths
from enigma_fed.state.history import SHORT, Key, Sums
from enigma_fed.state.historystore import NAME, HistoryStore
from enigma_fed.wire.views import StatusView
from tests.support.identities import did
from tests.support.sqlitefiles import put


@pytest.fixture
def scene(paths: Paths, settings: Settings) -> Scene:
    initialise(paths, settings)
    return Scene(paths, settings)


async def keep(folder: Path) -> None:
    store = HistoryStore(folder)
    store.open()
    await store.add({Key(did(number), SHORT, 7): Sums(heard=1) for number in range(2)})
    await store.close()


def test_there_is_none_yet(scene: Scene) -> None:
    [found] = history.readable(scene)
    assert (found.result, found.detail) == ("ok", "none yet: the agent keeps it while it runs")


async def test_a_sound_one_is_told_with_its_size(scene: Scene) -> None:
    await keep(scene.paths.data_dir)
    [found] = history.readable(scene)
    assert (found.result, found.detail) == ("ok", "of 2 nodes, 16 KiB")


async def test_one_that_was_set_aside_is_named(scene: Scene) -> None:
    await keep(scene.paths.data_dir)
    for name in (f"{NAME}.damaged-20261120T084900Z-0", f"{NAME}.damaged-20261120T084900Z-0-wal"):
        (scene.paths.data_dir / name).touch(mode=0o600)
    _, found = history.readable(scene)
    assert (found.result, found.detail) == (
        "warning",
        "it was damaged: history.db.damaged-20261120T084900Z-0",
    )


def garble(path: Path) -> None:
    put(path, 0, b"garbage")


def make_newer(path: Path) -> None:
    put(path, 60, (99).to_bytes(4, "big"))


def make_loose(path: Path) -> None:
    path.chmod(0o644)


@pytest.mark.parametrize(
    ("harm", "detail", "fix"),
    [
        (garble, "damaged", "Start the agent: it sets the file aside"),
        (make_newer, "newer version", "Use the newer enigma-fed"),
        (make_loose, "can be read by others", "chmod 600"),
    ],
)
async def test_one_that_cannot_be_used_is_a_warning_with_the_next_step(
    scene: Scene, harm: Callable[[Path], None], detail: str, fix: str
) -> None:
    await keep(scene.paths.data_dir)
    harm(scene.paths.data_dir / NAME)
    [found] = history.readable(scene)
    assert found.result == "warning"
    assert detail in found.detail
    assert fix in found.fix


async def test_under_a_running_agent_a_damaged_one_needs_nobody(scene: Scene) -> None:
    await keep(scene.paths.data_dir)
    garble(scene.paths.data_dir / NAME)
    running = replace(scene, status=cast(StatusView, SimpleNamespace(running=True)))
    [found] = history.readable(running)
    assert found.fix.startswith("Nothing: the agent sets it aside")
