"""What the doctor says of the machine."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from enigma_fed import __version__
from enigma_fed.base.errors import ConfigError, LooseModes
from enigma_fed.config import Settings
from enigma_fed.daemon.checks import machine
from enigma_fed.daemon.checks.scene import Check, Scene, existing, size
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.views import Finding, StatusView
from tests.support.views import NODE


@pytest.fixture
def scene(paths: Paths, settings: Settings) -> Scene:
    return Scene(paths, settings)


def one(check: Check, scene: Scene) -> Finding:
    [finding] = check(scene)
    return finding


def test_a_configuration_that_others_can_write_is_a_failure(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.touch(mode=0o600)
    named = dataclasses.replace(scene, paths=dataclasses.replace(scene.paths, config=path))
    assert one(machine.config_file, named) == Finding(check="config", result="ok", detail=str(path))
    path.chmod(0o664)
    finding = one(machine.config_file, named)
    assert (finding.result, finding.fix) == ("failure", f"Run: chmod go-w {path}")


def test_a_configuration_that_cannot_be_used_is_a_failure(scene: Scene) -> None:
    wrong = dataclasses.replace(scene, config_error=ConfigError("tor.mod is not a known key", hint="Look."))
    finding = one(machine.config_file, wrong)
    assert (finding.result, finding.detail, finding.fix) == ("failure", "tor.mod is not a known key", "Look.")


@pytest.mark.parametrize(
    ("theirs", "ours", "flag"),
    [("/homes/a b.toml", None, " --config '/homes/a b.toml'"), ("", "/c.toml", "")],
)
def test_an_agent_with_another_configuration_is_told_plainly(
    scene: Scene, theirs: str, ours: str | None, flag: str
) -> None:
    paths = dataclasses.replace(scene.paths, config=Path(ours) if ours else None, explicit=True)
    status = StatusView(node=NODE, running=True, config=theirs)
    finding = one(machine.config_of_the_agent, dataclasses.replace(scene, paths=paths, status=status))
    assert finding.result == "warning"
    assert all((path or "no configuration") in finding.detail for path in (theirs, ours))
    assert finding.fix == f"Run: enigma-fed{flag} --data-dir {paths.data_dir} doctor"


@pytest.mark.parametrize(
    "status",
    [
        None,
        StatusView(node=NODE, running=False),
        StatusView(node=NODE, running=True),
        StatusView(node=NODE, running=True, config="/c.toml"),
    ],
)
def test_the_agents_own_configuration_needs_no_word(scene: Scene, status: StatusView | None) -> None:
    paths = dataclasses.replace(scene.paths, config=Path("/c.toml"))
    seen = dataclasses.replace(scene, paths=paths, status=status)
    assert list(machine.config_of_the_agent(seen)) == []


@pytest.mark.parametrize(("known", "result"), [(True, "ok"), (False, "warning"), (None, "warning")])
def test_a_clock_that_runs_free_is_a_warning(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, known: bool | None, result: str
) -> None:
    monkeypatch.setattr(machine, "kernel_synchronised", lambda: known)
    kernel = dataclasses.replace(scene.settings.clock, synchronised="kernel")
    asked = dataclasses.replace(scene, settings=dataclasses.replace(scene.settings, clock=kernel))
    assert one(machine.clock, asked).result == result
    assert one(machine.clock, scene).result == "ok", "assumed, as configured"


def test_a_clock_behind_what_was_written_down_is_a_failure(scene: Scene) -> None:
    behind = StatusView(node=NODE, running=True, clock_behind=True)
    first, *_ = machine.clock(dataclasses.replace(scene, status=behind))
    assert first.result == "failure"
    assert "timedatectl" in first.fix


def room(**changes: int) -> SimpleNamespace:
    sound = {"f_flag": 0, "f_bavail": 2**20, "f_frsize": 4096, "f_files": 1000, "f_favail": 10**6}
    return SimpleNamespace(**{**sound, **changes})


@pytest.mark.parametrize(
    ("found", "result", "says"),
    [
        (room(), "ok", "4096 MiB free"),
        (room(f_bavail=1000), "failure", "3 MiB free"),
        (room(f_favail=3), "failure", "3 inodes left"),
        (room(f_favail=0, f_files=0), "ok", "free"),
        (room(f_flag=os.ST_RDONLY), "failure", "read-only"),
    ],
)
def test_a_disk_that_cannot_be_written_is_a_failure(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, found: SimpleNamespace, result: str, says: str
) -> None:
    monkeypatch.setattr(machine.os, "statvfs", lambda folder: found)
    first, *_ = machine.disk(scene)
    assert first.result == result
    assert says in first.detail
    assert bool(first.fix) == (result == "failure")


def test_the_room_is_that_of_the_nearest_folder(tmp_path: Path) -> None:
    assert existing(tmp_path / "not" / "there") == tmp_path


def test_a_size_has_a_unit_that_can_be_read() -> None:
    assert (size(300 * 2**20), size(10 * 2**30), size(2048)) == ("300 MiB", "10 GiB", "2 KiB")


def test_this_program_and_its_libraries_are_new_enough(scene: Scene) -> None:
    finding = one(machine.versions, scene)
    assert finding.result == "ok"
    assert __version__ in finding.detail


def test_an_agent_of_another_version_is_a_warning(scene: Scene) -> None:
    older = StatusView(node=NODE, running=True, version="0.0.1")
    first, *_ = machine.versions(dataclasses.replace(scene, status=older))
    assert first.result == "warning"
    assert "0.0.1" in first.detail


def test_an_old_library_is_a_failure(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["aiohttp>=999.1", "stem<2,>=1.8.2", "uvloop>=999; extra == 'speed'", "nowhere-to-be-found>=1"]
    monkeypatch.setattr(machine.metadata, "requires", lambda name: wanted)
    finding = one(machine.versions, scene)
    assert finding.result == "failure"
    assert "aiohttp" in finding.detail
    assert "nowhere-to-be-found (missing)" in finding.detail
    assert "stem" not in finding.detail
    assert "uvloop" not in finding.detail


def test_an_open_runtime_folder_is_a_failure(scene: Scene) -> None:
    scene.paths.runtime_dir.chmod(0o755)
    with pytest.raises(LooseModes) as caught:
        one(machine.runtime_folder, scene)
    assert caught.value.hint == f"Run: chmod 700 {scene.paths.runtime_dir}"
    scene.paths.runtime_dir.rmdir()
    assert "made at the start" in one(machine.runtime_folder, scene).detail
    scene.paths.runtime_dir.mkdir(mode=0o700)
