from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    AlreadyInitialised,
    LooseModes,
    NotInitialised,
    StoreDamaged,
    WriteFailed,
)
from enigma_fed.storage import secretfile
from enigma_fed.storage.disk import Disk


class FullDisk(Disk):
    def sync(self, descriptor: int) -> None:
        raise OSError(28, "No space left on device")


def test_a_secret_is_written_once_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "identity" / "node.key"
    secretfile.write_new(path, b"secret")
    assert secretfile.read(path) == b"secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with pytest.raises(AlreadyInitialised):
        secretfile.write_new(path, b"another")
    assert secretfile.read(path) == b"secret"
    assert [p.name for p in path.parent.iterdir()] == ["node.key"]


def test_a_missing_secret_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NotInitialised, match="enigma-fed init"):
        secretfile.read(tmp_path / "identity" / "node.key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_invariant_8_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "identity" / "node.key"
    secretfile.write_new(path, b"secret")
    path.chmod(mode)
    with pytest.raises(LooseModes, match="chmod 600"):
        secretfile.read(path)
    path.chmod(0o600)
    path.parent.chmod(0o750)
    with pytest.raises(LooseModes, match="chmod 700"):
        secretfile.read(path)


def test_a_failed_fsync_leaves_no_secret_behind(tmp_path: Path) -> None:
    path = tmp_path / "identity" / "node.key"
    with pytest.raises(WriteFailed, match="No space left"):
        secretfile.write_new(path, b"secret", disk=FullDisk())
    assert list(path.parent.iterdir()) == []


def test_a_secret_that_the_disk_cannot_read_is_told(tmp_path: Path) -> None:
    class Broken(Disk):
        def read(self, path: Path, limit: int) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(StoreDamaged, match=r"cannot be read: Input/output error.*from a backup"):
        secretfile.read(tmp_path / "node.key", disk=Broken())


def test_a_credential_is_read_within_its_bounds(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / "node.key"
    path.write_bytes(b"secret")
    path.chmod(0o400)
    assert secretfile.read_credential(path) == b"secret"
    path.chmod(0o600)
    path.write_bytes(bytes(limits.SECRET_FILE_BYTES + 1))
    with pytest.raises(StoreDamaged, match="larger than"):
        secretfile.read_credential(path)
    with pytest.raises(StoreDamaged, match="cannot be read"):
        secretfile.read_credential(tmp_path / "none")
