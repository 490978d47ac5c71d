"""Which node a command speaks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.daemon import operations
from tests.cli.fakes import CODE, FakeNode, invoke


def test_the_services_node_is_named_when_the_user_named_none(monkeypatch: pytest.MonkeyPatch) -> None:
    node = FakeNode()
    node.announce = True
    monkeypatch.setattr(operations, "open_operations", lambda paths, settings, *, mutating: node)
    shown = invoke("peer", "list", "--json")
    assert shown.exit_code == 0
    assert shown.err == "Speaking to attic (/data), the node of this machine's service.\n"
    assert len(shown.json) == 1


def test_a_command_that_opens_the_node_twice_names_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    node = FakeNode()
    node.announce = True
    monkeypatch.setattr(operations, "open_operations", lambda paths, settings, *, mutating: node)
    shown = invoke("invite", "accept", "-", typed=CODE)
    assert shown.exit_code == 0
    assert shown.err.count("Speaking to") == 1


def test_a_data_folder_that_is_a_file_is_2(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for words in (["status"], ["init"], ["doctor"], ["logs"], ["peer", "list"]):
        shown = invoke(*words, "--data-dir", str(file))
        assert (shown.exit_code, shown.out) == (2, "")
        assert f"{file} is a file" in shown.err


def test_a_named_node_is_not_announced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(operations, "open_operations", lambda paths, settings, *, mutating: FakeNode())
    assert invoke("peer", "list", "--json", "--data-dir", str(tmp_path)).err == ""
