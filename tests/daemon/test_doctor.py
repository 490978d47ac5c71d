"""The doctor names what is wrong, with its cure, and changes nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from enigma_fed.config import RpcSettings, Settings, TorSection
from enigma_fed.daemon import doctor
from enigma_fed.daemon.doctor import examine
from enigma_fed.daemon.folder import take_folder
from enigma_fed.daemon.init import initialise
from enigma_fed.daemon.listeners import bind_loopback
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.views import Finding


def results(paths: Paths, settings: Settings) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    order = ["ok", "warning", "failure"]
    for finding in examine(paths, settings):
        worst = found.get(finding.check)
        if worst is None or order.index(finding.result) > order.index(worst.result):
            found[finding.check] = finding
    return found


def with_tor(settings: Settings, **values: str) -> Settings:
    return dataclasses.replace(settings, tor=TorSection(**values))


def test_a_healthy_node_has_no_failure(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    found = results(paths, settings)
    assert not [finding for finding in found.values() if finding.result == "failure"]
    assert found["stores"].detail == "0 peers, 0 invites made"
    assert found["agent"].fix == "Start it: enigma-fed run"


def test_no_node_yet_is_said(paths: Paths, settings: Settings) -> None:
    found = results(paths, settings)
    assert found["node"].result == "failure"
    assert "enigma-fed init" in found["node"].fix
    assert not found.keys() & {"keys", "file modes", "stores", "agent"}
    assert not paths.data_dir.exists()


def test_a_node_without_its_key_is_not_taken_for_none(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    paths.node_key.unlink()
    found = results(paths, settings)
    assert "node" not in found
    assert found["keys"].result == "failure"


def test_a_size_has_a_unit_that_can_be_read() -> None:
    assert (doctor._size(300 * 2**20), doctor._size(10 * 2**30)) == ("300 MiB", "10 GiB")


def test_one_peer_is_one_peer() -> None:
    assert (doctor._count(1, "peer"), doctor._count(2, "peer")) == ("1 peer", "2 peers")


def test_loose_modes_are_named_one_by_one(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    paths.node_key.chmod(0o640)
    paths.federation_dir.chmod(0o755)
    fixes = {finding.fix for finding in examine(paths, settings) if finding.check == "file modes"}
    assert fixes == {f"Run: chmod 600 {paths.node_key}", f"Run: chmod 700 {paths.federation_dir}"}


def test_a_damaged_store_is_a_failure_and_stays_as_it_is(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    file = paths.federation_dir / "nodes.json"
    file.write_bytes(b"{}x")
    file.chmod(0o600)
    assert results(paths, settings)["stores"].result == "failure"
    assert file.read_bytes() == b"{}x"


def test_an_agent_that_takes_no_commands_is_a_failure(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    lock = take_folder(paths)
    assert results(paths, settings)["agent"].result == "failure"
    lock.release()


def test_a_taken_port_is_a_failure(paths: Paths, settings: Settings) -> None:
    taken = bind_loopback("127.0.0.1", 0)
    listen = f"127.0.0.1:{taken.getsockname()[1]}"
    found = results(paths, dataclasses.replace(settings, rpc=RpcSettings(listen=listen)))
    taken.close()
    assert found["listen address"].result == "failure"
    assert listen in found["listen address"].detail
    free = results(paths, dataclasses.replace(settings, rpc=RpcSettings(listen=listen)))
    assert free["listen address"].result == "ok"


def test_a_missing_tor_says_how_to_get_it(paths: Paths, settings: Settings) -> None:
    found = results(paths, with_tor(settings, binary="/nowhere/tor"))
    assert found["tor"].result == "failure"
    assert "apt install tor" in found["tor"].fix


@pytest.mark.parametrize(
    ("script", "result"),
    [
        ("echo 'Tor version 0.4.9.11.'", "ok"),
        ("echo 'Tor version 0.4.8.13 (git-abc).'", "ok"),
        ("echo 'Tor version 0.3.5.7.'", "warning"),
        ("exit 1", "failure"),
    ],
)
def test_tors_version_is_read(
    paths: Paths, settings: Settings, tmp_path: Path, script: str, result: str
) -> None:
    program = tmp_path / "tor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    assert results(paths, with_tor(settings, binary=str(program)))["tor"].result == result


def test_extra_lines_for_tor_are_a_warning_and_a_missing_file_a_failure(
    paths: Paths, settings: Settings, tmp_path: Path
) -> None:
    extra = tmp_path / "extra"
    found = results(paths, with_tor(settings, mode="off", torrc_extra=str(extra)))
    assert found["tor.torrc_extra"].result == "failure"
    extra.touch()
    found = results(paths, with_tor(settings, mode="off", torrc_extra=str(extra)))
    assert found["tor.torrc_extra"].result == "warning"


def test_a_clock_that_runs_free_is_a_warning(
    paths: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = dataclasses.replace(settings, clock=dataclasses.replace(settings.clock, synchronised="kernel"))
    for known, result in ((True, "ok"), (False, "warning"), (None, "warning")):
        monkeypatch.setattr(doctor, "kernel_synchronised", lambda known=known: known)
        assert results(paths, ask)["clock"].result == result


def test_a_full_disk_is_a_failure(paths: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_DISK_LOW", 2**60)
    assert results(paths, settings)["disk"].result == "failure"


def test_a_foreign_runtime_folder_is_a_failure(paths: Paths, settings: Settings) -> None:
    paths.runtime_dir.chmod(0o755)
    assert results(paths, settings)["runtime folder"].fix == f"Run: chmod 700 {paths.runtime_dir}"
