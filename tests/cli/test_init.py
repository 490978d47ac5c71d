"""`enigma-fed init`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.homes import Home


def test_init_prints_the_did_and_what_to_do_next(tmp_path: Path) -> None:
    home = Home(tmp_path / "new", tmp_path / "new.toml")
    home.configure("")
    shown = home("init", "--name", 'Grandma\'s "attic"')
    node = home("id", "--json").json
    assert (shown.exit_code, shown.out) == (0, f"{node['did']}\n")
    for step in (
        "identity/node.key and tor/onion.key",
        f"{home.hinted} doctor",
        f"{home.hinted} run",
    ):
        assert step in shown.err
    assert node["name"] == 'Grandma\'s "attic"'


def test_init_json_is_the_node(tmp_path: Path) -> None:
    home = Home(tmp_path / "new", tmp_path / "new.toml")
    home.configure("")
    assert home("init", "--json").json == home("id", "--json").json


def test_init_says_when_the_configuration_has_another_name(tmp_path: Path) -> None:
    home = Home(tmp_path / "new", tmp_path / "new.toml")
    home.configure('[node]\nname = "cellar"\n')
    assert "cellar (node.name)" in home("init", "--name", "attic").err
    assert home("id", "--json").json["name"] == "cellar"
