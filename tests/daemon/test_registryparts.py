"""A registry put together: its own key is made once, and missed when it is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from enigma_fed.base.errors import StoreDamaged
from enigma_fed.daemon.registryparts import KEY_FILE, own_key
from enigma_fed.registry.settings import StorageSettings


def test_the_registrys_own_key_is_made_at_the_first_start_and_kept(tmp_path: Path) -> None:
    storage = StorageSettings(path=tmp_path)
    made = own_key(storage, os.urandom, first=True)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert own_key(storage, os.urandom, first=True).did == made.did
    assert own_key(storage, os.urandom, first=False).did == made.did


def test_invariant_5_a_registry_with_identities_whose_key_is_gone_gets_no_other_unasked(
    tmp_path: Path,
) -> None:
    """To its owners and peers it would be another registry."""
    storage = StorageSettings(path=tmp_path)
    with pytest.raises(StoreDamaged) as caught:
        own_key(storage, os.urandom, first=False)
    assert str(tmp_path / KEY_FILE) in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_openssl_made_is_taken(tmp_path: Path) -> None:
    """As the hint says; `cryptography` writes what `openssl genpkey -algorithm ed25519` does."""
    path, key = tmp_path / KEY_FILE, Ed25519PrivateKey.generate()
    path.touch(0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    taken = own_key(StorageSettings(path=tmp_path), os.urandom, first=False)
    assert taken.did.public_key == key.public_key().public_bytes_raw()


def test_in_memory_it_is_another_one_each_time(tmp_path: Path) -> None:
    storage = StorageSettings(kind="memory", path=tmp_path)
    assert own_key(storage, os.urandom, first=True).did != own_key(storage, os.urandom, first=True).did
    assert list(tmp_path.iterdir()) == []
