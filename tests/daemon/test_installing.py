"""Installing the service and taking it out, in a folder of the test's own."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from enigma_fed.base.errors import NotFound, OperationFailed
from enigma_fed.daemon import installing, unitfiles
from enigma_fed.daemon.installing import install, lingers, plan_system, plan_user, uninstall, user_units
from enigma_fed.daemon.unitfiles import UNIT
from tests.support.fakesystemd import FakeSystemd

WORDS = ("/opt/enigma-fed/bin/enigma-fed", "run")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with Debian's tor package, its /etc in a temporary folder."""
    monkeypatch.setattr(installing, "SYSTEM_UNITS", tmp_path / "etc/systemd/system")
    monkeypatch.setattr(installing, "SYSUSERS", tmp_path / "etc/sysusers.d/enigma-fed.conf")
    monkeypatch.setattr(installing.grp, "getgrnam", lambda name: name)
    return tmp_path


def found(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_machines_service_is_written_prepared_and_started(machine: Path) -> None:
    fake = FakeSystemd()
    systemd = fake.said("system", machine)
    assert install(systemd, plan_system(systemd, WORDS))
    assert found(machine) == [
        "etc/systemd/system/enigma-fed.service",
        "etc/systemd/system/enigma-fed.service.d/tor-cookie.conf",
        "etc/sysusers.d/enigma-fed.conf",
    ]
    unit = machine / "etc/systemd/system" / UNIT
    assert f"ExecStart={' '.join(WORDS)}\n" in unit.read_text(encoding="utf-8")
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    assert fake.orders == [
        f"systemd-sysusers {machine}/etc/sysusers.d/enigma-fed.conf",
        "systemctl daemon-reload",
        f"systemctl enable {UNIT}",
        f"systemctl restart {UNIT}",
    ]


def test_done_again_without_a_change_nothing_is_restarted(machine: Path) -> None:
    fake = FakeSystemd()
    systemd = fake.said("system", machine)
    install(systemd, plan_system(systemd, WORDS))
    fake.calls.clear()
    install(systemd, plan_system(systemd, WORDS))
    assert fake.orders[-1] == f"systemctl start {UNIT}"


def test_drop_ins_come_where_the_machine_has_what_they_need(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_group(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(installing.grp, "getgrnam", no_group)
    old = plan_system(FakeSystemd(version=252).said("system", machine), WORDS)
    new = plan_system(FakeSystemd(version=254).said("system", machine), WORDS)
    assert [path.name for path, _ in old.files] == ["enigma-fed.conf", UNIT]
    assert [path.name for path, _ in new.files] == ["enigma-fed.conf", UNIT, "restart-steps.conf"]


def test_a_service_that_does_not_start_stays_installed_and_the_log_is_named(machine: Path) -> None:
    fake = FakeSystemd(failing={"restart": "Job failed."})
    systemd = fake.said("system", machine)
    with pytest.raises(OperationFailed, match="does not start") as caught:
        install(systemd, plan_system(systemd, WORDS))
    assert "enigma-fed service logs" in caught.value.hint
    assert (machine / "etc/systemd/system" / UNIT).exists()


def test_a_users_service_lies_in_the_users_folder(tmp_path: Path) -> None:
    fake = FakeSystemd()
    systemd = fake.said("user", tmp_path)
    environ = {"HOME": str(tmp_path)}
    install(systemd, plan_user(systemd, WORDS, environ))
    assert found(tmp_path) == [f".config/systemd/user/{UNIT}"]
    assert fake.orders[-1] == f"systemctl --user restart {UNIT}"
    assert user_units({"XDG_CONFIG_HOME": "/x"}) == Path("/x/systemd/user")
    assert uninstall(systemd, environ) == (user_units(environ) / UNIT,)
    assert found(tmp_path) == []


def test_uninstall_removes_its_own_files_only(machine: Path) -> None:
    fake = FakeSystemd(version=254)
    systemd = fake.said("system", machine)
    install(systemd, plan_system(systemd, WORDS))
    own = machine / "etc/systemd/system" / f"{UNIT}.d" / "mine.conf"
    own.write_text("[Service]\n", encoding="utf-8")
    fake.calls.clear()
    removed = uninstall(systemd, {})
    assert len(removed) == 4
    assert found(machine) == [f"etc/systemd/system/{UNIT}.d/mine.conf"]
    assert fake.orders == [f"systemctl disable --now {UNIT}", "systemctl daemon-reload"]
    with pytest.raises(NotFound):
        uninstall(systemd, {})


def test_a_folder_without_own_drop_ins_goes_too(machine: Path) -> None:
    systemd = FakeSystemd().said("system", machine)
    install(systemd, plan_system(systemd, WORDS))
    uninstall(systemd, {})
    assert not (machine / "etc/systemd/system" / f"{UNIT}.d").exists()


def test_a_file_that_cannot_be_written_is_an_error(machine: Path) -> None:
    (machine / "etc").write_text("in the way", encoding="utf-8")
    systemd = FakeSystemd().said("system", machine)
    with pytest.raises(OperationFailed, match="cannot be written"):
        install(systemd, plan_system(systemd, WORDS))


@pytest.mark.parametrize(("answer", "lingering"), [("yes", True), ("no", False)])
def test_whether_a_user_lingers(tmp_path: Path, answer: str, lingering: bool) -> None:
    assert lingers(FakeSystemd(linger=answer).said("user", tmp_path), "a") is lingering
    assert lingers(FakeSystemd(failing={"loginctl": "no bus"}).said("user", tmp_path), "a")


def test_the_templates_are_found() -> None:
    for name in (
        UNIT,
        unitfiles.USER_UNIT,
        unitfiles.SYSUSERS,
        unitfiles.TOR_COOKIE,
        unitfiles.RESTART_STEPS,
    ):
        assert unitfiles.template(name).startswith("#")
