"""`enigma-fed service …`, on a systemd that remembers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from enigma_fed.base.errors import OperationFailed
from enigma_fed.cli import service
from enigma_fed.daemon import installing, programcheck
from tests.cli.fakes import invoke
from tests.support.fakesystemd import ABSENT, ACTIVE, FakeSystemd

REQUIRE_FOR_MACHINE = programcheck.require_for_machine
SCOPES = {None: "system", "system": "system", "user": "user"}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine in a temporary folder, its program fit for a service."""
    monkeypatch.setattr(installing, "SYSTEM_UNITS", tmp_path / "units")
    monkeypatch.setattr(installing, "SYSUSERS", tmp_path / "sysusers.conf")
    monkeypatch.setattr(programcheck, "require_for_machine", lambda paths: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SUDO_USER", "ann")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def systemd(machine: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystemd:
    fake = FakeSystemd()
    monkeypatch.setattr(service, "_systemd", lambda scope: fake.said(SCOPES[scope], machine))
    monkeypatch.setattr(service.os, "geteuid", lambda: 0)
    return fake


def test_install_starts_it_and_says_what_comes_next(machine: Path, systemd: FakeSystemd) -> None:
    done = invoke("service", "install")
    assert done.exit_code == 0, done.err
    assert done.out == "enigma-fed.service is active.\n"
    assert "/var/lib/enigma-fed" in done.err
    assert "sudo usermod -aG enigma-fed ann" in done.err
    assert (machine / "units" / "enigma-fed.service").exists()
    assert invoke("service", "install", "--json").json["state"] == "active"


def test_install_for_a_user_keeps_the_flags_and_tells_of_lingering(
    machine: Path, systemd: FakeSystemd
) -> None:
    done = invoke("service", "install", "--user", "--data-dir", str(machine / "a b"))
    assert done.exit_code == 0, done.err
    assert "loginctl enable-linger" in done.err
    unit = (machine / ".config/systemd/user/enigma-fed.service").read_text(encoding="utf-8")
    assert f'--data-dir "{machine}/a b" run' in unit


def test_dry_run_shows_everything_and_does_nothing(machine: Path, systemd: FakeSystemd) -> None:
    shown = invoke("service", "install", "--dry-run")
    assert "Type=notify" in shown.out
    assert "# run: systemctl daemon-reload" in shown.out
    assert systemd.orders == []
    assert not (machine / "units").exists()
    plan = invoke("service", "install", "--dry-run", "--json").json
    assert plan["commands"][-1] == "systemctl restart enigma-fed.service"
    assert plan["files"][1]["path"].endswith("units/enigma-fed.service")


def test_a_dry_run_says_what_would_stop_the_installation(
    systemd: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "refused" not in invoke("service", "install", "--dry-run").err

    def unfit(paths: object) -> None:
        raise OperationFailed("the service does not see /home", hint="Install it elsewhere.")

    monkeypatch.setattr(programcheck, "require_for_machine", unfit)
    shown = invoke("service", "install", "--dry-run")
    assert shown.exit_code == 0
    assert "would be refused: the service does not see /home. Install it elsewhere." in shown.err
    monkeypatch.setattr(service.os, "geteuid", lambda: 1000)
    assert "Use sudo" in invoke("service", "install", "--dry-run").err


def test_the_machines_service_is_roots_and_its_data_folder_fixed(
    systemd: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke("service", "install", "--data-dir", "/d").exit_code == 2
    monkeypatch.setattr(service.os, "geteuid", lambda: 1000)
    for words in (["install", "--system"], ["uninstall", "--system"]):
        refused = invoke("service", *words)
        assert refused.exit_code == 2
        assert "--user" in refused.err
    assert systemd.orders == []


def test_a_program_that_is_not_fit_is_refused_with_the_next_step(
    systemd: FakeSystemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programcheck, "require_for_machine", REQUIRE_FOR_MACHINE)
    refused = invoke("service", "install", "--system")
    assert refused.exit_code == 1
    assert "service install --user" in refused.err


def test_status_says_how_it_is_and_what_to_do(systemd: FakeSystemd) -> None:
    systemd.shown |= {"StatusText": "Tor is bootstrapping at 45 %", "MainPID": "7", "NRestarts": "2"}
    shown = invoke("service", "status")
    assert shown.exit_code == 0
    assert "Tor is bootstrapping at 45 %" in shown.out
    assert "Next: see how the node is: enigma-fed status" in shown.out
    assert invoke("service", "status", "--json").json["pid"] == 7


def test_who_has_no_service_of_his_own_looks_at_the_machines(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, asked = FakeSystemd(), list[str | None]()
    monkeypatch.setattr(service.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(
        service, "_systemd", lambda scope: asked.append(scope) or fake.said(scope or "user", machine)
    )
    monkeypatch.setattr(subprocess, "call", lambda words: 0)
    for folder in ("units", ".config/systemd/user"):
        for command in ("status", "logs"):
            invoke("service", command)
        (machine / folder).mkdir(parents=True)
        (machine / folder / "enigma-fed.service").touch()
        for command in ("status", "logs"):
            assert invoke("service", command).exit_code == 0
    assert asked == [None, None, "system", "system", "system", "system", None, None]
    assert invoke("service", "status", "--system").exit_code == 0
    assert asked[-1] == "system"


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"ActiveState": "inactive", "SubState": "dead"}, 1, "start it: sudo systemctl start"),
        (
            {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "2"},
            1,
            "correct the configuration",
        ),
        ({"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "7"}, 1, "is damaged"),
        ({"ActiveState": "failed", "Result": "watchdog"}, 1, "does not stay up"),
        ({"ActiveState": "activating", "Result": "exit-code"}, 1, "does not stay up"),
        ({"ActiveState": "activating"}, 1, "it starts"),
        ({"NeedDaemonReload": "yes"}, 0, "daemon-reload"),
    ],
)
def test_each_trouble_has_its_next_step(
    systemd: FakeSystemd, changes: dict[str, str], code: int, words: str
) -> None:
    systemd.shown = {**ACTIVE, **changes}
    shown = invoke("service", "status")
    assert shown.exit_code == code
    assert words in shown.out.partition("Next: ")[2]


def test_a_service_that_is_not_installed_is_5(systemd: FakeSystemd) -> None:
    systemd.shown = ABSENT
    for scope, command in (
        ("--system", "sudo enigma-fed service install"),
        ("--user", "service install --user"),
    ):
        shown = invoke("service", "status", scope)
        assert shown.exit_code == 5
        assert command in shown.err
    assert invoke("service", "uninstall").exit_code == 5


def test_uninstall_keeps_the_data_and_says_where_it_is(machine: Path, systemd: FakeSystemd) -> None:
    invoke("service", "install")
    done = invoke("service", "uninstall")
    assert done.exit_code == 0, done.err
    assert f"removed {machine}/units/enigma-fed.service" in done.out
    assert "stays in /var/lib/enigma-fed" in done.err
    invoke("service", "install", "--user")
    gone = invoke("service", "uninstall", "--user", "--json").json
    assert gone["data_dir"] == f"{machine}/.local/share/enigma-fed"
    assert gone["removed"] == [f"{machine}/.config/systemd/user/enigma-fed.service"]


def test_logs_are_journalctls(systemd: FakeSystemd, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, ...]] = []

    def call(words: tuple[str, ...]) -> int:
        called.append(words)
        return 0

    monkeypatch.setattr(subprocess, "call", call)
    assert invoke("service", "logs", "-n", "3", "--follow").exit_code == 0
    assert called[0][0] == "journalctl"
    assert {"--lines=3", "--follow"} <= set(called[0])


@pytest.mark.parametrize("command", ["install", "status", "logs", "uninstall"])
def test_without_systemd_each_says_so(command: str, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_systemd", _nowhere(machine))
    said = invoke("service", command, "--user")
    assert said.exit_code == 1
    assert "systemd does not run this machine" in said.err
    assert "enigma-fed run" in said.err


def _nowhere(folder: Path) -> Callable[[str | None], object]:
    return lambda scope: FakeSystemd().said("user", folder / "nowhere")
