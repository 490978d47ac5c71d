"""The doctor runs every check, names what is wrong with its reason and its cure, and changes nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from pathlib import Path

import pytest

from enigma_fed.base.errors import ConfigError
from enigma_fed.config import Settings, TorSection
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.doctor import examine, examine_service, exit_code
from enigma_fed.daemon.init import initialise
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.views import Finding


def results(paths: Paths, settings: Settings) -> dict[str, Finding]:
    """The worst finding of each check."""
    found: dict[str, Finding] = {}
    order = ["ok", "warning", "failure"]
    for finding in examine(paths, settings):
        worst = found.get(finding.check)
        if worst is None or order.index(finding.result) > order.index(worst.result):
            found[finding.check] = finding
    return found


def content(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_healthy_node_has_no_failure_and_is_left_as_it_is(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    before = content(paths.data_dir)
    found = results(paths, settings)
    assert not [finding for finding in found.values() if finding.result == "failure"]
    assert exit_code(list(found.values())) == 0
    assert found["agent"].fix == "Start it: enigma-fed run"
    assert found["second copy"].result == "ok"
    assert content(paths.data_dir) == before


def test_what_is_wrong_comes_with_its_reason_and_its_cure(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    paths.node_key.chmod(0o644)
    for finding in examine(paths, settings):
        assert (finding.result == "ok") == (not finding.fix), finding
        assert (finding.result == "ok") == (not finding.why), finding


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


def test_a_check_that_cannot_look_is_a_failure_and_stops_no_other(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    nowhere = dataclasses.replace(settings, tor=TorSection(binary="/nowhere/tor"))
    found = results(paths, nowhere)
    assert found["tor"].result == "failure"
    assert "apt install tor" in found["tor"].fix
    assert found["disk"].result == "ok"
    assert exit_code(list(found.values())) == 1


def test_a_damaged_store_ends_with_7(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    (paths.federation_dir / "nodes.json").write_bytes(b"{}x")
    assert exit_code(examine(paths, settings)) == 7


def test_a_configuration_that_cannot_be_used_is_one_finding_among_others(
    paths: Paths, settings: Settings
) -> None:
    found = {entry.check: entry for entry in examine(paths, settings, config_error=ConfigError("no"))}
    assert found["config"].result == "failure"
    assert found["disk"].result == "ok"


async def test_a_running_agent_is_asked(paths: Paths, settings: Settings) -> None:
    agent = Agent(settings, paths, keep_log=False)
    await agent.start()
    try:
        found = {entry.check: entry for entry in await asyncio.to_thread(examine, paths, settings)}
    finally:
        await agent.close()
    assert found["agent"].detail.endswith("and takes commands")
    assert found["listen address"].result == "ok"


async def test_of_the_service_it_checks_what_the_agent_tells(
    paths: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's own folder is not there to be read, as for a user who only commands it."""
    initialise(paths, settings)
    agent = Agent(settings, paths)
    await agent.start()
    nobodys = dataclasses.replace(paths, data_dir=paths.data_dir / "other")
    monkeypatch.setattr(Paths, "control_socket", paths.control_socket)
    found = await asyncio.to_thread(examine_service, nobodys, settings)
    await agent.close()
    results = {finding.check: finding.result for finding in found}
    assert (results["agent"], results["files"], results["disk"]) == ("ok", "warning", "ok")
    assert not results.keys() & {"keys", "file modes", "logs", "node"}
    assert exit_code(found) == 0
    gone = await asyncio.to_thread(examine_service, nobodys, settings)
    assert {finding.check: finding.result for finding in gone}["agent"] == "failure"
