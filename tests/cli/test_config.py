"""`enigma-fed config show`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.cli.fakes import invoke


def test_config_show_is_the_form_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[node]\nname = "attic"\n')
    monkeypatch.setenv("ENIGMA_FED_TOR__MODE", "off")
    shown = invoke("config", "show", "--config", str(file))
    tables = tomllib.loads(shown.out)
    assert (tables["node"]["name"], tables["tor"]["mode"]) == ("attic", "off")
    assert invoke("config", "show", "--config", str(file), "--json").json == tables


def test_config_show_origin_tells_what_set_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[node]\nname = "attic"\n')
    monkeypatch.setenv("ENIGMA_FED_TOR__MODE", "off")
    shown = invoke("config", "show", "--origin", "--config", str(file))
    assert f'name = "attic"  # file {file}' in shown.out
    assert 'mode = "off"  # environment ENIGMA_FED_TOR__MODE' in shown.out
    assert tomllib.loads(shown.out)["tor"]["mode"] == "off"
    rows = invoke("config", "show", "--origin", "--config", str(file), "--json").json
    assert {"key": "log.level", "value": "info", "origin": "default"} in rows
