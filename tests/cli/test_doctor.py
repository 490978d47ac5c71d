"""`enigma-fed doctor`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.homes import make_home


def test_doctor_of_a_sound_node(tmp_path: Path) -> None:
    home = make_home(tmp_path, "attic")
    shown = home("doctor", "--json")
    assert not [finding for finding in shown.json if finding["result"] == "failure"]
    assert shown.exit_code == 0
