"""`enigma-fed doctor`."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.daemon import operations
from tests.cli.homes import Home, make_home


def test_doctor_of_a_sound_node(tmp_path: Path) -> None:
    home = make_home(tmp_path, "attic")
    shown = home("doctor", "--json")
    assert not [finding for finding in shown.json if finding["result"] == "failure"]
    assert shown.exit_code == 0


def test_doctor_before_init_says_how_to_make_a_node(tmp_path: Path) -> None:
    home = Home(tmp_path / "new", tmp_path / "new.toml")
    home.configure('[tor]\nmode = "off"\n')
    shown = home("doctor")
    assert shown.exit_code == 1
    assert f"{home.hinted} init" in shown.out
    checks = {finding["check"] for finding in home("doctor", "--json").json}
    assert "node" in checks
    assert not checks & {"keys", "stores", "file modes", "agent"}


def test_doctor_of_a_damaged_store_says_how_to_mend_it_and_ends_with_7(tmp_path: Path) -> None:
    home = make_home(tmp_path, "attic")
    store = tmp_path / "attic" / "federation" / "nodes.json"
    assert store.exists()
    store.write_bytes(store.read_bytes().replace(b"nodes", b"nodez"))
    shown = home("doctor", "--json")
    finding, *_ = [entry for entry in shown.json if entry["check"] == "stores"]
    assert finding["result"] == "failure"
    assert "doctor --accept-recovered" in finding["fix"]
    assert shown.exit_code == 7


def test_doctor_goes_on_with_a_configuration_that_cannot_be_used(tmp_path: Path) -> None:
    home = make_home(tmp_path, "attic")
    home.configure("[tor]\nmod = 1\n")
    shown = home("doctor", "--json")
    found = {finding["check"]: finding for finding in shown.json}
    assert found["config"]["result"] == "failure"
    assert "tor.mod" in found["config"]["detail"]
    assert found["keys"]["result"] == "ok"
    assert shown.exit_code == 1


def test_doctor_says_why_and_what_to_do(tmp_path: Path) -> None:
    home = make_home(tmp_path, "attic")
    shown = home("doctor")
    assert "Peers find nobody here while it is down." in shown.out
    assert f"Start it: {home.hinted} run" in shown.out


def test_doctor_looks_at_the_node_that_other_commands_speak_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "is_of_the_service", lambda paths: True)
    shown = make_home(tmp_path, "attic")("doctor", "--json")
    found = {finding["check"]: finding for finding in shown.json}
    assert "this machine's service" in found["agent"]["detail"]
    assert "keys" not in found
    assert shown.exit_code == 1
