"""What the client keeps: the owner's alone, twice on the disk, one writer at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import Conflict, LockBusy, LooseModes, StoreDamaged
from enigma_fed.base.registry_client_errors import NoOwnIdentity
from enigma_fed.registry.clientstores import ClientStores
from enigma_fed.storage.folderlock import FolderLock
from enigma_fed.wire.knownidentities import KnownFile
from enigma_fed.wire.ownidentity import OwnIdentity, Registration, new_identity
from enigma_fed.wire.userid import UserId
from tests.wire.test_knownidentities import known


def person(name: str = "alice") -> OwnIdentity:
    return new_identity(name, os.urandom, 1_800_000_000_000)


@pytest.fixture
def stores(tmp_path: Path) -> ClientStores:
    return ClientStores(tmp_path / "data" / "registry-identities")


def test_what_is_kept_is_found(stores: ClientStores) -> None:
    alice, bob = person(), person("bob")
    with stores.locked():
        stores.create(bob)
        stores.create(alice)
    assert stores.owns(alice.user_id)
    assert stores.own(alice.user_id) == alice
    assert stores.owned() == [alice, bob]
    assert not stores.owns(UserId.of("carol"))
    with pytest.raises(NoOwnIdentity, match="identity create"):
        stores.own(UserId.of("carol"))


def test_nothing_is_there_at_first(stores: ClientStores) -> None:
    assert stores.owned() == []
    assert stores.known() == KnownFile()
    assert not stores.folder.exists()


def test_keys_are_not_replaced(stores: ClientStores) -> None:
    alice = person()
    with stores.locked():
        stores.create(alice)
        with pytest.raises(Conflict):
            stores.create(person())
    assert stores.own(alice.user_id) == alice


def test_a_change_is_kept(stores: ClientStores) -> None:
    alice = person()
    made = Registration(url="https://a.example", identity=bytes(32), at=1)
    with stores.locked():
        stores.create(alice)
        after = stores.change(alice.user_id, lambda own: own.with_registration(made))
        stores.learn(lambda file: file.with_identity(known()))
        stores.learn(lambda file: file.with_identity(known(2)))
    assert stores.own(alice.user_id) == after == alice.with_registration(made)
    assert stores.known().identities == (known(), known(2))
    assert stores.recovered == set()


def test_invariant_8_files_are_the_owners_alone(stores: ClientStores) -> None:
    with stores.locked():
        stores.create(person())
        stores.learn(lambda file: file.with_identity(known()))
    assert stores.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in stores.folder.iterdir()} == {0o600}
    stores.path(UserId.of("alice")).chmod(0o644)
    with pytest.raises(LooseModes):
        stores.own(UserId.of("alice"))
    stores.folder.chmod(0o755)
    with pytest.raises(LooseModes):
        stores.owned()


def test_there_is_one_writer(stores: ClientStores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enigma_fed.base.limits.LOCK_WAIT", 0.0)
    with stores.locked(), pytest.raises(LockBusy), ClientStores(stores.folder).locked():
        pass
    with FolderLock(stores.folder) as lock:
        lock.acquire(0)


def test_invariant_5_a_damaged_file_is_read_from_its_copy_and_told(stores: ClientStores) -> None:
    alice = person()
    with stores.locked():
        stores.create(alice)
        stores.learn(lambda file: file.with_identity(known()))
    path = stores.path(alice.user_id)
    path.write_bytes(b"{}")
    (stores.folder / "known.json").unlink()
    assert stores.own(alice.user_id) == alice
    assert stores.known().identities == (known(),)
    assert stores.recovered == {str(path), str(stores.folder / "known.json")}
    again = ClientStores(stores.folder)
    with again.locked():
        again.change(alice.user_id, lambda own: own)
    assert again.recovered == {str(path)}
    healed = ClientStores(stores.folder)
    assert healed.own(alice.user_id) == alice
    assert healed.recovered == set()


def test_invariant_5_a_missing_file_is_found_by_its_copy(stores: ClientStores) -> None:
    alice = person()
    with stores.locked():
        stores.create(alice)
    stores.path(alice.user_id).unlink()
    assert stores.owned() == [alice]


def test_a_file_under_another_name_is_not_believed(stores: ClientStores) -> None:
    with stores.locked():
        stores.create(person())
    stores.path(UserId.of("alice")).rename(stores.path(UserId.of("bob")))
    with pytest.raises(StoreDamaged, match="another name"):
        stores.own(UserId.of("bob"))


def test_invariant_7_identities_are_bounded(stores: ClientStores, monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry_limits.OWN_IDENTITIES == 1_000
    monkeypatch.setattr(registry_limits, "OWN_IDENTITIES", 2)
    with stores.locked():
        stores.create(person("a"))
        stores.create(person("b"))
        with pytest.raises(Conflict, match="2 identities"):
            stores.create(person("c"))
