"""Calls to systemctl and their answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from enigma_fed.base.errors import OperationFailed
from enigma_fed.daemon import systemctl
from enigma_fed.daemon.systemctl import Systemd, run_program
from tests.support.fakesystemd import ABSENT, FakeSystemd


def test_the_state_of_the_unit_is_read(tmp_path: Path) -> None:
    assert FakeSystemd().said("system", tmp_path).state().is_up
    assert not FakeSystemd(ABSENT).said("user", tmp_path).state().installed


def test_a_users_systemd_is_asked_as_the_user(tmp_path: Path) -> None:
    fake = FakeSystemd()
    systemd = fake.said("user", tmp_path)
    systemd.state()
    assert fake.calls[0][:2] == ("systemctl", "--user")
    assert systemd.typed == "systemctl --user"
    assert "--user-unit=enigma-fed.service" in systemd.journal(5, follow=True, json=False)


def test_the_journals_command_line(tmp_path: Path) -> None:
    systemd = FakeSystemd().said("system", tmp_path)
    assert systemd.journal(5, follow=False, json=True) == (
        "journalctl",
        "--unit=enigma-fed.service",
        "--lines=5",
        "--output=json",
        "--no-pager",
    )


def test_what_systemctl_complains_of_is_the_error(tmp_path: Path) -> None:
    fake = FakeSystemd(failing={"start": "Unit\n is masked."})
    with pytest.raises(OperationFailed, match="systemctl start x: Unit is masked"):
        fake.said("system", tmp_path).run(("systemctl", "start", "x"))
    with pytest.raises(OperationFailed, match="did not say"):
        FakeSystemd({}).said("system", tmp_path).state()


@pytest.mark.parametrize(("version", "number"), [(252, 252), (254, 254)])
def test_the_version_is_a_number(tmp_path: Path, version: int, number: int) -> None:
    assert FakeSystemd(version=version).said("system", tmp_path).version() == number


def test_without_systemd_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperationFailed) as caught:
        Systemd("system", FakeSystemd(), tmp_path / "nowhere").require()
    assert "enigma-fed run" in caught.value.hint
    with pytest.raises(OperationFailed, match="no program"):
        run_program([str(tmp_path / "systemctl")])
    monkeypatch.setattr(systemctl, "_PATIENCE", 0.1)
    with pytest.raises(OperationFailed, match="does not end"):
        run_program([sys.executable, "-c", "import time; time.sleep(60)"])
