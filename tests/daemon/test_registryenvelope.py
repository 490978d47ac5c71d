"""The settings of an agent's registry, and the keys that it makes and keeps by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from enigma_fed import config
from enigma_fed.base.errors import ConfigError
from enigma_fed.daemon.registryenvelope import agent_settings, own_file, rotate
from enigma_fed.registry.configfile import Loaded
from enigma_fed.registry.tables import AgentTables

NOW = 1_800_000_000_000
PEPPER = bytes(range(1, 33)).hex()


def load(folder: Path, text: str = "") -> Loaded:
    path = folder / "etc" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"[registry]\nenabled = true\n{text}", encoding="utf-8")
    tables = config.load(path, {}).settings.registry
    return agent_settings(tables, path, folder / "data", NOW, os.urandom)


def test_invariant_8_pepper_and_key_are_made_once_and_kept_beside_the_database(tmp_path: Path) -> None:
    first = load(tmp_path)
    path = tmp_path / "data" / "registry" / "envelope.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert first.settings.storage.path == path.parent
    assert first.settings.address == ("127.0.0.1", 8443)
    assert first.files == (tmp_path / "etc" / "config.toml", path)
    assert load(tmp_path).settings == first.settings


def test_a_rotated_key_is_taken_over_from_there(tmp_path: Path) -> None:
    [old] = load(tmp_path).settings.envelope.keys
    kid = rotate(own_file(AgentTables(), None, tmp_path / "data"), os.urandom, NOW, 1000)
    new, before = load(tmp_path).settings.envelope.keys
    assert (new.kid.hex(), before.kid) == (kid, old.kid)
    assert not before.active


def test_keys_in_the_configuration_come_before_those(tmp_path: Path) -> None:
    key = f'{{ kid_hex = "0001020304050607", x25519_private_key_hex = "{PEPPER}", active = true }}'
    loaded = load(tmp_path, f'[registry.envelope]\npepper_hex = "{PEPPER}"\nkeys = [{key}]\n')
    assert loaded.settings.envelope.pepper.hex() == PEPPER
    assert not (tmp_path / "data").exists()


def test_a_configuration_with_keys_that_every_user_can_read_is_warned_of(tmp_path: Path) -> None:
    key = f'{{ kid_hex = "0001020304050607", x25519_private_key_hex = "{PEPPER}", active = true }}'
    text = f'[registry.envelope]\npepper_hex = "{PEPPER}"\nkeys = [{key}]\n'
    load(tmp_path, text)
    path = tmp_path / "etc" / "config.toml"
    for mode, told in ((0o644, True), (0o640, False), (0o600, False)):
        path.chmod(mode)
        warnings = load(tmp_path, text).warnings
        assert any(f"chmod o= {path}" in warning for warning in warnings) is told
    path.chmod(0o644)
    assert load(tmp_path).warnings == ()


def test_in_memory_they_are_others_each_time_and_nothing_is_written(tmp_path: Path) -> None:
    text = '[registry.storage]\nkind = "memory"\n'
    first, second = (load(tmp_path, text).settings.envelope for _ in range(2))
    assert first.pepper != second.pepper
    assert not (tmp_path / "data").exists()


def test_relative_paths_count_from_the_configuration_and_the_storage_from_where_it_says(
    tmp_path: Path,
) -> None:
    settings = load(tmp_path, '[registry.storage]\npath = "../names"\n').settings
    assert settings.storage.path == tmp_path / "names"
    assert (tmp_path / "names" / "envelope.toml").exists()


def test_errors_name_the_file_and_the_key_that_they_are_in(tmp_path: Path) -> None:
    load(tmp_path)
    path = tmp_path / "data" / "registry" / "envelope.toml"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace("active = true", "active = false"), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"envelope\.keys in .*envelope\.toml has no key that is active"
    ) as caught:
        load(tmp_path)
    assert f"rotate-key --config {path}" in caught.value.hint
    path.write_text(whole + "[storage]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"storage in .*envelope\.toml is not a known key"):
        load(tmp_path)
    path.write_text(whole, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"registry\.trusted_proxies in .*config\.toml"):
        load(tmp_path, 'trusted_proxies = ["proxy"]\n')


def test_without_a_configuration_paths_count_from_the_data_folder(tmp_path: Path) -> None:
    settings = agent_settings(AgentTables(), None, tmp_path, NOW, os.urandom).settings
    assert settings.storage.path == tmp_path / "registry"
