"""The unit files: systemd reads them without a word, and they expose little."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import gettempdir

import pytest

from enigma_fed.base.errors import ConfigError, StoreError
from enigma_fed.base.registry_errors import RegistryRunning
from enigma_fed.daemon import unitfiles
from tests.support.prerequisites import missing

MOST_EXPOSURE = 20
"""Tenths, as `systemd-analyze security --threshold` counts."""
MOST_EXPOSURE_OF_A_USER = 70
"""A user's systemd cannot set most of the sandbox up."""


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        missing("the units are checked by systemd-analyze: sudo apt install systemd")
    environ = {"XDG_RUNTIME_DIR": gettempdir(), **os.environ, "SYSTEMD_COLORS": "0", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, timeout=120, check=False, env=environ
    )


def system_version() -> int:
    found = re.search(r"systemd (\d+)", analyze("--version").stdout)
    assert found is not None
    return int(found[1])


def installed(folder: Path, name: str, *drop_ins: str) -> Path:
    """The unit as `service install` writes it, starting a program that exists."""
    unit = folder / Path(name).name
    unit.write_text(unitfiles.unit(name, [sys.executable, "run"]), encoding="utf-8")
    for drop_in in drop_ins:
        path = folder / drop_in
        path.parent.mkdir(exist_ok=True)
        path.write_text(unitfiles.template(drop_in), encoding="utf-8")
    return unit


def test_systemd_reads_the_registrys_unit_without_a_word(tmp_path: Path) -> None:
    done = analyze("verify", "--man=no", "--system", str(installed(tmp_path, unitfiles.REGISTRY_UNIT)))
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("scope", ["--system", "--user"])
def test_systemd_reads_the_unit_without_a_word(tmp_path: Path, scope: str) -> None:
    name = unitfiles.UNIT if scope == "--system" else unitfiles.USER_UNIT
    drop_ins = [unitfiles.TOR_COOKIE] if scope == "--system" else []
    if scope == "--system" and system_version() >= unitfiles.STEPS_SINCE:
        drop_ins.append(unitfiles.RESTART_STEPS)
    done = analyze("verify", "--man=no", scope, str(installed(tmp_path, name, *drop_ins)))
    # It ends with 0 also when it knows a key not: what it says counts.
    assert done.stderr == ""
    assert done.returncode == 0


def test_an_unknown_key_would_be_noticed(tmp_path: Path) -> None:
    unit = installed(tmp_path, unitfiles.UNIT)
    unit.write_text(unit.read_text(encoding="utf-8").replace("UMask=", "UMusk="), encoding="utf-8")
    assert "UMusk" in analyze("verify", "--man=no", str(unit)).stderr


@pytest.mark.parametrize(
    ("name", "most"),
    [
        (unitfiles.UNIT, MOST_EXPOSURE),
        (unitfiles.REGISTRY_UNIT, MOST_EXPOSURE),
        (unitfiles.USER_UNIT, MOST_EXPOSURE_OF_A_USER),
    ],
)
def test_the_service_exposes_little(tmp_path: Path, name: str, most: int) -> None:
    unit = installed(tmp_path, name)
    done = analyze("security", "--offline=yes", f"--threshold={most}", "--no-pager", str(unit))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_a_service_without_its_sandbox_would_be_noticed(tmp_path: Path) -> None:
    unit = installed(tmp_path, unitfiles.UNIT)
    text = re.sub(r"(?m)^(Protect|Private|Restrict|SystemCall)\w+=.*\n", "", unit.read_text(encoding="utf-8"))
    unit.write_text(text, encoding="utf-8")
    done = analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSURE}", "--no-pager", str(unit))
    assert done.returncode != 0


def settings(name: str) -> list[tuple[str, str]]:
    """Each `Key=value` of a file of systemd/."""
    lines = unitfiles.template(name).splitlines()
    return [
        (key, value) for key, _, value in (line.partition("=") for line in lines) if key.isalpha() and value
    ]


@pytest.mark.parametrize(
    ("name", "more"),
    [
        (unitfiles.UNIT, set()),
        (unitfiles.USER_UNIT, set()),
        (unitfiles.REGISTRY_UNIT, {str(RegistryRunning.exit_code)}),
    ],
)
def test_what_a_person_must_mend_is_not_tried_again(name: str, more: set[str]) -> None:
    given = dict(settings(name))
    assert given["Restart"] == "on-failure"
    codes = set(given["RestartPreventExitStatus"].split())
    assert codes == {str(ConfigError.exit_code), str(StoreError.exit_code)} | more


def test_the_registrys_unit_keeps_its_data_to_itself_and_knows_nothing_of_the_agents() -> None:
    given = dict(settings(unitfiles.REGISTRY_UNIT))
    assert (given["StateDirectoryMode"], given["UMask"]) == ("0700", "0077")
    assert given["User"] == given["StateDirectory"] == "enigma-fed-registry"
    assert "LoadCredential" not in given
    start = given["ExecStart"].split()
    assert start[:3] == ["/usr/bin/enigma-fed", "registry", "serve"]
    assert start[4].startswith(f"/var/lib/{given['StateDirectory']}/")


def test_the_service_waits_for_the_clock_and_keeps_its_data_to_itself() -> None:
    given = settings(unitfiles.UNIT)
    assert ("StateDirectoryMode", "0700") in given
    assert ("UMask", "0077") in given
    assert any(key == "After" and "time-sync.target" in value.split() for key, value in given)
    assert any(key == "Wants" and "time-sync.target" in value.split() for key, value in given)


@pytest.mark.parametrize("name", [unitfiles.UNIT, unitfiles.REGISTRY_UNIT])
def test_every_part_of_the_sandbox_has_its_reason(name: str) -> None:
    """A comment stands above each block of settings from the sandbox on."""
    _, _, sandbox = unitfiles.template(name).partition("# The sandbox.")
    assert sandbox
    commented = False
    for line in sandbox.splitlines():
        commented = True if line.startswith("#") else commented and bool(line)
        assert commented or "=" not in line or line.startswith("WantedBy="), line


@pytest.mark.parametrize("name", [unitfiles.SYSUSERS, unitfiles.REGISTRY_SYSUSERS])
def test_the_user_file_is_read_by_sysusers(tmp_path: Path, name: str) -> None:
    if shutil.which("systemd-sysusers") is None:
        missing("the service's user is made by systemd-sysusers: sudo apt install systemd")
    (tmp_path / "etc").mkdir()
    file = tmp_path / "enigma-fed.conf"
    file.write_text(unitfiles.template(name), encoding="utf-8")
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", "--dry-run", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
