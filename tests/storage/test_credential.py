"""Keys that systemd hands over (LoadCredential): read, but not when others could read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import LooseModes, StoreDamaged
from enigma_fed.storage import secretfile


@pytest.fixture
def credential(tmp_path: Path) -> Path:
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    path = folder / "node.key"
    path.write_bytes(b"secret")
    path.chmod(0o600)
    return path


def test_a_credential_is_read(credential: Path) -> None:
    assert secretfile.read_credential(credential) == b"secret"


def test_invariant_8_a_credential_that_everyone_can_read_is_refused(credential: Path) -> None:
    credential.chmod(0o604)
    with pytest.raises(LooseModes, match="LoadCredential"):
        secretfile.read_credential(credential)
    credential.chmod(0o600)
    credential.parent.chmod(0o705)
    with pytest.raises(LooseModes):
        secretfile.read_credential(credential)


def test_a_credential_has_a_size_and_must_be_there(credential: Path) -> None:
    credential.write_bytes(b"x" * (limits.SECRET_FILE_BYTES + 1))
    with pytest.raises(StoreDamaged, match="larger"):
        secretfile.read_credential(credential)
    credential.unlink()
    with pytest.raises(StoreDamaged, match="cannot be read"):
        secretfile.read_credential(credential)


def test_a_secret_that_the_disk_does_not_give_is_an_error_of_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "identity" / "node.key"
    secretfile.write_new(path, b"secret")

    class Failing(secretfile.Disk):
        def read(self, path: Path, limit: int) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(StoreDamaged, match="Input/output error"):
        secretfile.read(path, disk=Failing())
