"""Where the program of the machine's service may lie, and who may change it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from enigma_fed.base.errors import OperationFailed
from enigma_fed.daemon import programcheck
from enigma_fed.daemon.programcheck import find_program, objections, parts, require_for_machine


@pytest.fixture
def fake_stat(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets every path have an owner, a group and a mode of the test's choice; root's alone otherwise."""
    chosen: dict[str, tuple[int, int, int]] = {}

    def found(path: Path, **_: object) -> os.stat_result:
        uid, gid, mode = chosen.get(str(path), (0, 0, 0o755))
        return os.stat_result((stat.S_IFDIR | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))

    monkeypatch.setattr(Path, "stat", found)

    def choose(path: str, uid: int = 0, gid: int = 0, mode: int = 0o755) -> None:
        chosen[path] = (uid, gid, mode)

    return choose


PROGRAM = Path("/opt/enigma-fed/bin/enigma-fed")


def test_a_program_of_roots_is_fit(fake_stat: Callable[..., None]) -> None:
    fake_stat("/opt", gid=50, mode=0o2775)
    assert list(objections(PROGRAM)) == []


@pytest.mark.parametrize("folder", ["/home/a", "/root", "/tmp", "/var/tmp", "/run/user/1000"])
def test_where_the_sandbox_hides_it_it_is_not(fake_stat: Callable[..., None], folder: str) -> None:
    (said,) = objections(Path(folder, "bin/enigma-fed"))
    assert "does not see" in said


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"uid": 1000}, "belongs to another user"),
        ({"mode": 0o777}, "can be changed"),
        ({"gid": 1000, "mode": 0o775}, "can be changed"),
    ],
)
def test_what_somebody_else_can_change_is_not(
    fake_stat: Callable[..., None], chosen: dict[str, int], said: str
) -> None:
    fake_stat("/opt/enigma-fed", **chosen)
    assert [said in objection for objection in objections(PROGRAM)] == [True]


def test_a_link_into_a_home_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programcheck, "HIDDEN", (tmp_path / "home",))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "python").touch()
    (tmp_path / "python").symlink_to(tmp_path / "home" / "python")
    assert any("does not see" in said for said in objections(tmp_path / "python"))


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    assert any("No such file" in said for said in objections(tmp_path / "gone"))


def test_the_error_says_how_to_install_it_properly() -> None:
    with pytest.raises(OperationFailed) as caught:
        require_for_machine((Path("/home/a/venv/bin/enigma-fed"),))
    assert "/home" in caught.value.detail
    assert "/opt/enigma-fed" in caught.value.hint
    assert "--user" in caught.value.hint


def test_the_program_is_that_of_this_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert find_program().name == "enigma-fed"
    assert len(parts(find_program())) == 3
    monkeypatch.setattr(programcheck.sys, "prefix", str(tmp_path))
    with pytest.raises(OperationFailed, match="is missing"):
        find_program()
