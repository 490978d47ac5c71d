"""What the doctor says of the node's own files and of its agent."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest

from enigma_fed.base.errors import NotInitialised
from enigma_fed.base.suspension import Suspended
from enigma_fed.config import Settings
from enigma_fed.daemon.checks import node
from enigma_fed.daemon.checks.scene import Check, Scene, count
from enigma_fed.daemon.folder import take_folder
from enigma_fed.daemon.init import initialise
from enigma_fed.daemon.paths import Paths
from enigma_fed.storage.folderlock import FolderLock
from enigma_fed.wire.views import Finding, StatusView
from tests.support.views import NODE


@pytest.fixture
def scene(paths: Paths, settings: Settings) -> Scene:
    initialise(paths, settings)
    return Scene(paths, settings)


def one(check: Check, scene: Scene) -> Finding:
    [finding] = check(scene)
    return finding


def test_the_service_tells_what_its_agent_knows_and_how_to_look_at_its_files(
    paths: Paths, settings: Settings
) -> None:
    status = StatusView(node=NODE, running=True, pid=7)
    recovered = msgspec.structs.replace(status, suspended=[Suspended.RECOVERED])
    for said, results in (
        (status, {"agent": "ok"}),
        (recovered, {"agent": "ok", "stores": "failure"}),
        (None, {"agent": "failure"}),
    ):
        *found, files = node.service(Scene(paths, settings, status=said))
        assert {finding.check: finding.result for finding in found} == results
        assert files.fix.endswith("sudo -u enigma-fed enigma-fed --data-dir /var/lib/enigma-fed doctor")
    agent = next(node.service(Scene(paths, settings, status=status)))
    assert NODE.name in agent.detail


def test_a_new_node_is_well(scene: Scene) -> None:
    for check in (node.keys, node.file_modes, node.stores, node.logs):
        assert one(check, scene).result == "ok"
    assert one(node.stores, scene).detail == "0 peers, 0 invites made"


def test_a_file_damaged_under_a_running_agent_is_told_from_one_whose_copy_it_uses(scene: Scene) -> None:
    (scene.paths.federation_dir / "nodes.json").write_bytes(b"{")
    unaware = StatusView(node=NODE, running=True)
    aware = msgspec.structs.replace(unaware, suspended=[Suspended.RECOVERED])
    for status, says in ((unaware, "Stop the agent, start it again"), (aware, "Run: "), (None, "Run: ")):
        found = next(iter(node.stores(dataclasses.replace(scene, status=status))))
        assert (found.result, found.fix.startswith(says)) == ("failure", True)
        assert found.fix.endswith("enigma-fed doctor --accept-recovered")


def test_one_peer_is_one_peer() -> None:
    assert (count(1, "peer"), count(2, "peer")) == ("1 peer", "2 peers")


def test_a_missing_key_is_told(scene: Scene) -> None:
    scene.paths.node_key.unlink()
    with pytest.raises(NotInitialised):
        one(node.keys, scene)


def test_loose_modes_are_named_one_by_one(scene: Scene) -> None:
    paths = scene.paths
    log = paths.log_file
    log.touch()
    for path, mode in ((paths.node_key, 0o640), (paths.federation_dir, 0o755), (log, 0o644)):
        path.chmod(mode)
    found = {finding.fix: finding.result for finding in node.file_modes(scene)}
    assert found == {
        f"Run: chmod 600 {paths.node_key}": "failure",
        f"Run: chmod 700 {paths.federation_dir}": "failure",
        f"Run: chmod 600 {log}": "warning",
    }


def test_many_loose_files_are_one_command(scene: Scene) -> None:
    for number in range(30):
        path = scene.paths.tor_dir / f"{number:02}"
        path.touch()
        path.chmod(0o644)
    found = list(node.file_modes(scene))
    assert len(found) == 21
    assert found[-1].fix == f"Run: chmod -R go= {scene.paths.data_dir}"


def test_a_damaged_store_is_a_failure_and_stays_as_it_is(scene: Scene) -> None:
    file = scene.paths.federation_dir / "nodes.json"
    file.write_bytes(b"{}x")
    assert next(node.stores(scene)).result == "failure"
    assert file.read_bytes() == b"{}x"


def test_a_missing_copy_is_a_warning(scene: Scene) -> None:
    copy = scene.paths.federation_dir / "invites.json.bak"
    copy.unlink()
    _, finding = node.stores(scene)
    assert (finding.result, finding.detail) == ("warning", f"{copy.name}: it is missing")


def test_who_has_the_folder_decides_what_is_said_of_the_agent(scene: Scene) -> None:
    assert one(node.agent, scene).fix == "Start it: enigma-fed run"
    with FolderLock(scene.paths.data_dir) as lock:
        lock.acquire(1, kind="command")
        assert one(node.agent, scene).result == "ok"
    held = take_folder(scene.paths)
    finding = one(node.agent, scene)
    held.release()
    assert finding.result == "failure"
    assert "takes no commands" in finding.detail


def test_a_log_of_tor_that_grew_is_a_warning(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_TOR_LOG_LARGE", 100)
    (scene.paths.tor_dir / "tor.log").write_bytes(b"x" * 101)
    assert "restart the agent" in one(node.logs, scene).fix


def test_the_logs_of_a_node_that_never_ran_take_no_room(paths: Paths, settings: Settings) -> None:
    assert one(node.logs, Scene(paths, settings)).detail == "0 KiB"


def test_a_file_that_vanishes_has_no_size(tmp_path: Path) -> None:
    assert node._size(tmp_path / "gone") == 0
