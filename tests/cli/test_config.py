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


def test_invariant_8_config_show_says_that_there_are_secrets_and_not_which(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    secret = bytes(range(1, 33)).hex()
    key = f'{{ kid_hex = "0001020304050607", x25519_private_key_hex = "{secret}", active = true }}'
    file.write_text(f'[registry.envelope]\npepper_hex = "{secret}"\nkeys = [{key}]\n')
    shown = [
        invoke("config", "show", *words, "--config", str(file)) for words in ((), ("--origin", "--json"))
    ]
    assert not any(secret in each.out for each in shown)
    assert tomllib.loads(shown[0].out)["registry"]["envelope"] == {
        "pepper_hex": "(secret)",
        "keys": "(secret)",
    }
    assert invoke("config", "show", "--json", "--config", str(file)).json == tomllib.loads(shown[0].out)
