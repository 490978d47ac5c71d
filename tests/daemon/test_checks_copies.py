"""The doctor finds a second copy of the node's identity."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from enigma_fed.config import Settings
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.checks import copies
from enigma_fed.daemon.checks.scene import Scene
from enigma_fed.daemon.init import initialise
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.views import Finding, StatusView
from tests.support.views import NODE


@pytest.fixture
def scene(paths: Paths, settings: Settings) -> Scene:
    initialise(paths, settings)
    return Scene(paths, settings, os.environ)


def one(scene: Scene) -> Finding:
    [finding] = copies.second_copy(scene)
    return finding


def test_a_single_node_is_well(scene: Scene) -> None:
    assert one(scene).result == "ok"


def test_the_copy_that_the_self_probe_heard_is_a_failure(scene: Scene) -> None:
    heard = StatusView(node=NODE, running=True, another_copy=True)
    assert one(dataclasses.replace(scene, status=heard)).result == "failure"


def test_a_folder_with_the_same_key_is_a_warning_that_names_it(scene: Scene, tmp_path: Path) -> None:
    shutil.copytree(scene.paths.data_dir, tmp_path / "copy")
    finding = one(scene)
    assert finding.result == "warning"
    assert str(tmp_path / "copy") in finding.detail


def test_another_node_beside_it_is_none(scene: Scene, tmp_path: Path) -> None:
    initialise(dataclasses.replace(scene.paths, data_dir=tmp_path / "other"), scene.settings)
    assert one(scene).result == "ok"


async def test_an_agent_with_the_same_identity_is_a_failure(scene: Scene, tmp_path: Path) -> None:
    copy = dataclasses.replace(scene.paths, data_dir=tmp_path / "copy")
    shutil.copytree(scene.paths.data_dir, copy.data_dir)
    agent = Agent(scene.settings, copy, keep_log=False)
    await agent.start()
    try:
        found = await asyncio.to_thread(lambda: list(copies.second_copy(scene)))
    finally:
        await agent.close()
    assert [finding.result for finding in found] == ["failure", "warning"]
    assert str(copy.data_dir) in found[0].detail
