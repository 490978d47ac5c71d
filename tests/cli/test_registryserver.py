"""`enigma-fed registry serve|init|rotate-key`: a registry that runs by itself, and its configuration."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from enigma_fed.registry import configfile
from tests.cli.fakes import invoke

PUBLISHED = Path(__file__).parents[1] / "registry" / "published-registry.toml"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENIGMA_FED_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("ENIGMA_FED_CONFIG", raising=False)
    return tmp_path


def tables(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_invariant_8_init_makes_a_file_that_starts_and_prints_no_secret(here: Path) -> None:
    done = invoke("registry", "init")
    assert done.exit_code == 0
    path = here / "registry.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    envelope = tables(path)["envelope"]
    assert envelope["pepper_hex"] not in done.out + done.err
    assert envelope["keys"][0]["x25519_private_key_hex"] not in done.out + done.err
    assert "enigma-fed registry serve --config registry.toml" in done.err
    assert configfile.load(path, 0).warnings == ()


def test_init_leaves_a_file_with_secrets_of_its_own_alone(here: Path) -> None:
    path = here / "mine.toml"
    assert invoke("registry", "init", "--config", str(path), "--json").json == {
        "config": str(path), "replaced": [],
    }  # fmt: skip
    before = path.read_bytes()
    again = invoke("registry", "init", "--config", str(path))
    assert again.exit_code == 6
    assert f"enigma-fed registry serve --config {path}" in again.err
    assert path.read_bytes() == before


def test_init_in_a_folder_that_is_not_there_says_how_to_make_it(here: Path) -> None:
    refused = invoke("registry", "init", "--config", str(here / "none" / "registry.toml"))
    assert refused.exit_code == 2
    assert f"mkdir -p {here / 'none'}" in refused.err


def test_invariant_8_init_replaces_what_everyone_knows_and_says_what_it_was(here: Path) -> None:
    path = here / "registry.toml"
    path.write_bytes(PUBLISHED.read_bytes())
    path.chmod(0o640)
    done = invoke("registry", "init", "--json")
    assert done.json == {
        "config": str(path), "replaced": ["envelope.pepper_hex", "envelope.keys[0]"],
    }  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600
    assert configfile.load(path, 0).settings.allow_sync


def test_rotate_key_makes_the_next_key_and_says_how_long_the_others_open(here: Path) -> None:
    invoke("registry", "init")
    before = tables(here / "registry.toml")["envelope"]["keys"][0]
    done = invoke("registry", "rotate-key", "--overlap", "7d", "--json")
    first, old = tables(here / "registry.toml")["envelope"]["keys"]
    assert done.json["kid"] == first["kid_hex"]
    assert first["active"]
    assert (old["kid_hex"], old["active"]) == (before["kid_hex"], False)
    assert first["x25519_private_key_hex"] not in done.out + done.err
    said = invoke("registry", "rotate-key", "--config", str(here / "registry.toml"))
    assert "those before it open until" in said.err


def test_a_key_that_must_not_open_any_more_ends_at_once(here: Path) -> None:
    invoke("registry", "init")
    assert "open no more" in invoke("registry", "rotate-key", "--overlap", "0").err
    path = here / "registry.toml"
    end = tables(path)["envelope"]["keys"][1]["not_after_epoch_ms"]
    assert [key.expired(end + 1) for key in configfile.load(path, end + 1).settings.envelope.keys] == [
        False,
        True,
    ]


@pytest.mark.parametrize("overlap", ["soon", "-1d", "3651d", "30"])
def test_an_overlap_that_is_none_is_a_usage_error(here: Path, overlap: str) -> None:
    invoke("registry", "init")
    before = (here / "registry.toml").read_bytes()
    assert invoke("registry", "rotate-key", f"--overlap={overlap}").exit_code == 2
    assert (here / "registry.toml").read_bytes() == before


def test_where_the_key_lies_in_a_file_the_next_one_does_too(here: Path) -> None:
    invoke("registry", "init")
    path = here / "registry.toml"
    (here / "keys").mkdir()
    digits = tables(path)["envelope"]["keys"][0]["x25519_private_key_hex"]
    (here / "keys" / "first.key").write_text(digits, encoding="ascii")
    (here / "keys" / "first.key").chmod(0o600)
    text = path.read_text(encoding="utf-8").replace(
        f'x25519_private_key_hex = "{digits}"', 'x25519_private_key_file = "keys/first.key"'
    )
    path.write_text(text, encoding="utf-8")
    kid = invoke("registry", "rotate-key", "--json").json["kid"]
    made = here / "keys" / f"envelope-{kid}.key"
    assert made.stat().st_mode & 0o777 == 0o600
    [new, old] = configfile.load(path, 0).settings.envelope.keys
    assert (new.kid.hex(), new.private_key.hex()) == (kid, made.read_text(encoding="ascii").strip())
    assert old.private_key.hex() == digits


def test_the_keys_of_the_nodes_own_registry_are_rotated_where_they_lie(here: Path) -> None:
    config = here / "config.toml"
    config.write_text("[registry]\nenabled = true\n", encoding="utf-8")
    own = here / "data" / "registry" / "envelope.toml"
    missing = invoke("registry", "rotate-key", "--config", str(config))
    assert missing.exit_code == 2
    assert str(own) in missing.err
    assert "--config FILE" in missing.err
    own.parent.mkdir(parents=True)
    own.write_text('[envelope]\nkeys = [{ kid_hex = "00", active = true }]\n', encoding="utf-8")
    assert invoke("registry", "rotate-key", "--config", str(config), "--json").json["config"] == str(own)
    assert invoke("registry", "rotate-key", "--json").json["config"] == str(own)
    config.write_text('[registry.envelope]\nkeys = [{ kid_hex = "00", active = true }]\n', encoding="utf-8")
    assert invoke("registry", "rotate-key", "--config", str(config), "--json").json["config"] == str(config)
    assert len(tables(config)["registry"]["envelope"]["keys"]) == 2


def test_a_published_secret_starts_no_server_and_the_way_out_is_told(here: Path) -> None:
    refused = invoke("registry", "serve", "--config", str(PUBLISHED))
    assert refused.exit_code == 2
    assert f"enigma-fed registry init --config {PUBLISHED}" in refused.err


def test_without_a_configuration_the_command_that_makes_one_is_told(here: Path) -> None:
    missing = invoke("registry", "serve", "--json")
    assert missing.exit_code == 2
    assert missing.error["hint"] == "Make one: enigma-fed registry init --config registry.toml"
