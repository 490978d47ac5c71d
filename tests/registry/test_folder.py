"""One process has a registry's folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from enigma_fed.base.errors import LooseModes
from enigma_fed.base.registry_errors import ForeignStore, RegistryRunning
from enigma_fed.registry.folder import RegistryFolder


def test_it_is_made_for_its_owner_alone_and_held_until_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "above" / "registry"
    first = RegistryFolder(path)
    first.take()
    assert path.stat().st_mode & 0o777 == 0o700
    with pytest.raises(RegistryRunning) as refused:
        RegistryFolder(path).take()
    assert refused.value.exit_code == 6
    assert f"a registry (process {os.getpid()})" in str(refused.value)
    first.release()
    second = RegistryFolder(path)
    second.take()
    second.release()
    second.release()


def test_invariant_8_one_that_others_can_read_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "registry"
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    with pytest.raises(LooseModes) as refused:
        RegistryFolder(path).take()
    assert "storage.path" in refused.value.hint
    assert f"chmod 700 {path}" in refused.value.hint


def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    path = tmp_path / "registry"
    path.touch()
    with pytest.raises(LooseModes, match="not a folder"):
        RegistryFolder(path).take()


def test_invariant_5_sleds_folder_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "registry_db"
    (path / "blobs").mkdir(parents=True)
    for name in ("conf", "db", "snap.0A"):
        (path / name).write_bytes(b"sled")
    with pytest.raises(ForeignStore):
        RegistryFolder(path).take()
    assert sorted(each.name for each in path.iterdir()) == ["blobs", "conf", "db", "snap.0A"]
