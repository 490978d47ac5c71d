"""The node key's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base.errors import AlreadyInitialised, LooseModes, NotInitialised, StoreDamaged
from enigma_fed.identity import files

SEED = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "identity" / "node.key"


def test_what_is_created_is_loaded_again(path: Path) -> None:
    key = files.create(path, SEED)
    assert files.load(path).did == key.did
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_key_is_never_overwritten(path: Path) -> None:
    key = files.create(path, SEED)
    with pytest.raises(AlreadyInitialised):
        files.create(path, bytes(32))
    assert files.load(path).did == key.did


def test_a_missing_key_says_so(path: Path) -> None:
    files.create(path, SEED)
    path.unlink()
    with pytest.raises(NotInitialised):
        files.load(path)


def test_a_key_that_others_can_read_is_refused(path: Path) -> None:
    files.create(path, SEED)
    path.chmod(0o640)
    with pytest.raises(LooseModes):
        files.load(path)


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_damaged_key_is_left_alone(path: Path, content: bytes) -> None:
    files.create(path, SEED)
    path.write_bytes(content)
    with pytest.raises(StoreDamaged):
        files.load(path)
    assert path.read_bytes() == content
