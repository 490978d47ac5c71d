"""Which way a command takes to its node: the running agent, else the files under the lock (one writer)."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    AgentNotRunning,
    FieldInvalid,
    LockBusy,
    NotInitialised,
    PeerNotFound,
    StoreDamaged,
)
from enigma_fed.config import Settings
from enigma_fed.daemon import operations
from enigma_fed.daemon.folder import take_folder
from enigma_fed.daemon.init import initialise
from enigma_fed.daemon.local import LocalOperations
from enigma_fed.daemon.operations import RemoteOperations, open_operations
from enigma_fed.daemon.paths import SYSTEM_CONTROL_SOCKET, SYSTEM_DATA_DIR, Paths
from enigma_fed.storage.folderlock import FolderLock


@pytest.fixture
def node(paths: Paths, settings: Settings) -> Paths:
    initialise(paths, settings)
    return paths


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOCK_WAIT", 0.3)


def test_without_a_node_a_command_says_how_to_make_one(paths: Paths, settings: Settings) -> None:
    for mutating in (False, True):
        with pytest.raises(NotInitialised) as caught:
            open_operations(paths, settings, mutating=mutating)
        assert "enigma-fed init" in caught.value.hint
    assert not paths.data_dir.exists()


def test_whom_the_service_does_not_know_is_told_how_to_be_let_in(
    paths: Paths, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "SYSTEM_RUNTIME_DIR", tmp_path)
    monkeypatch.setattr(operations.os, "access", lambda path, mode: path != tmp_path)
    for explicit, told in ((True, False), (False, True)):
        with pytest.raises(NotInitialised) as caught:
            open_operations(dataclasses.replace(paths, explicit=explicit), settings, mutating=False)
        assert ("usermod -aG enigma-fed" in caught.value.hint) is told


def test_without_an_agent_a_command_edits_the_files_itself(node: Paths, settings: Settings) -> None:
    with open_operations(node, settings, mutating=True) as here:
        assert isinstance(here, LocalOperations)
        made = here.invite_create("observer", 3600)
        assert made.code is not None
    with open_operations(node, settings, mutating=False) as here:
        assert [invite.id for invite in here.invite_list()] == [made.id]
        assert here.status().next_steps[0] == "Start the agent: enigma-fed run"
        assert here.identity().name == "attic"


def test_what_needs_the_network_needs_an_agent(node: Paths, settings: Settings) -> None:
    with open_operations(node, settings, mutating=True) as here:
        with pytest.raises(PeerNotFound):
            here.peer_show("nobody")
        with pytest.raises(PeerNotFound):
            here.peer_ping("nobody")
        with pytest.raises(FieldInvalid):
            here.invite_create("everything", 3600)


def test_two_changing_commands_wait_for_each_other(node: Paths, settings: Settings) -> None:
    first = open_operations(node, settings, mutating=True)
    with pytest.raises(LockBusy) as caught:
        open_operations(node, settings, mutating=True)
    assert caught.value.exit_code == 75
    release = threading.Timer(0.05, first.close)
    release.start()
    open_operations(node, settings, mutating=True).close()
    release.join()


def test_a_reading_command_waits_for_nobody(node: Paths, settings: Settings) -> None:
    with open_operations(node, settings, mutating=True):
        assert open_operations(node, settings, mutating=False).peer_list() == []


def test_an_agent_that_does_not_answer_yet_is_waited_for_and_then_busy(
    node: Paths, settings: Settings
) -> None:
    lock = take_folder(node)
    with pytest.raises(LockBusy, match="starts or stops"):
        open_operations(node, settings, mutating=True)
    assert open_operations(node, settings, mutating=False).peer_list() == []
    lock.release()


def test_a_failed_opening_leaves_no_lock_behind(node: Paths, settings: Settings) -> None:
    file = node.federation_dir / "nodes.json"
    content = file.read_bytes()
    file.write_bytes(content[:-5])
    file.with_name("nodes.json.bak").unlink()
    with pytest.raises(StoreDamaged) as caught:
        open_operations(node, settings, mutating=True)
    assert caught.value.exit_code == 7
    assert FolderLock(node.data_dir).holder() is None
    with pytest.raises(StoreDamaged):
        open_operations(node, settings, mutating=False)
    assert file.read_bytes() == content[:-5]


def test_an_unnamed_node_is_the_systems_when_its_agent_runs(
    paths: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    unnamed = Paths(paths.data_dir, None, paths.runtime_dir, explicit=False)
    monkeypatch.setattr(operations.controlclient, "answers", lambda _: True)
    found = open_operations(unnamed, settings, mutating=True)
    assert isinstance(found, RemoteOperations)
    assert found.announce
    assert "system service" in found.target
    named = open_operations(paths, settings, mutating=False)
    assert not named.announce


def test_a_remote_call_without_an_agent_says_so(paths: Paths) -> None:
    with pytest.raises(AgentNotRunning):
        RemoteOperations(paths.control_socket).status()


def test_a_command_speaks_to_the_service_where_that_runs_and_no_folder_is_named(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    unnamed = dataclasses.replace(paths, explicit=False)
    assert not operations.is_of_the_service(unnamed)
    monkeypatch.setattr(operations.controlclient, "answers", lambda path: path == SYSTEM_CONTROL_SOCKET)
    assert operations.is_of_the_service(unnamed)
    assert not operations.is_of_the_service(paths)
    assert not operations.is_of_the_service(dataclasses.replace(unnamed, data_dir=SYSTEM_DATA_DIR))
