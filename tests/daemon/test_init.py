"""Making a node: private files, an order that can be repeated, nothing overwritten."""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from enigma_fed.base.errors import (
    AlreadyInitialised,
    FieldInvalid,
    LooseModes,
    NotInitialised,
    StoreDamaged,
    WriteFailed,
)
from enigma_fed.config import NodeSettings, Settings
from enigma_fed.daemon import init, keys
from enigma_fed.daemon.init import initialise, load_keys, node_name, read_membership
from enigma_fed.daemon.paths import Paths
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.storage.jsonfile import JsonFile
from enigma_fed.wire import nodesfile
from enigma_fed.wire.records import Membership, NodesFile, Tombstone


def everything(folder: Path) -> list[Path]:
    return [folder, *sorted(folder.rglob("*"))]


def test_a_new_node_has_an_identity_an_onion_and_empty_files(paths: Paths, settings: Settings) -> None:
    view = initialise(paths, settings)
    key, onion = load_keys(paths)
    assert view.did == str(key.did)
    assert view.onion == str(onion.address)
    assert view.name == "attic"
    assert view.data_dir == str(paths.data_dir)
    assert read_membership(paths) == Membership()


def test_invariant_8_every_folder_is_0700_and_every_file_0600(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings, name="attic")
    for path in everything(paths.data_dir):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_a_node_is_never_made_anew(paths: Paths, settings: Settings) -> None:
    first = initialise(paths, settings)
    with pytest.raises(AlreadyInitialised) as caught:
        initialise(paths, settings)
    assert caught.value.exit_code == 6
    assert str(load_keys(paths)[0].did) == first.did


def test_two_nodes_have_different_keys(tmp_path: Path, settings: Settings) -> None:
    views = [initialise(Paths(tmp_path / name, None, tmp_path), settings) for name in "ab"]
    assert views[0].did != views[1].did
    assert views[0].onion != views[1].onion


@pytest.mark.parametrize("writes", range(6))
def test_a_crash_midway_can_be_repeated(
    paths: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Each write in turn fails; the next try makes the node, with the onion that was there already."""
    with monkeypatch.context() as patch:
        _fail_after(writes, patch)
        try:
            initialise(paths, settings, name="attic")
        except WriteFailed:
            assert not paths.node_key.exists()
        else:
            pytest.fail("there are fewer writes than that: lower the range")
    before = keys.load_onion_key(paths) if paths.onion_key.exists() else None
    view = initialise(paths, settings, name="attic")
    assert read_membership(paths) == Membership()
    if before is not None:
        assert view.onion == str(before.address)


def _fail_after(writes: int, patch: pytest.MonkeyPatch) -> None:
    left = iter(range(writes))
    for name in ("create", "replace"):
        real: Callable[..., None] = getattr(init.Disk, name)

        def counted(disk: object, path: Path, data: bytes, real: Callable[..., None] = real) -> None:
            if next(left, None) is None:
                raise WriteFailed("no space left")
            real(disk, path, data)

        patch.setattr(init.Disk, name, counted)


def test_invariant_5_members_without_a_key_do_not_become_another_nodes(
    paths: Paths, settings: Settings
) -> None:
    view = initialise(paths, settings)
    removed = Tombstone(did=NodeKey.generate(bytes(range(32))).did, removed_at=1)
    file = JsonFile(paths.federation_dir / "nodes.json", nodesfile.NodeEncoder().encode, nodesfile.decode)
    file.update(lambda nodes: NodesFile(removed=(*nodes.removed, removed)))
    paths.node_key.unlink()
    for attempt in (lambda: initialise(paths, settings), lambda: load_keys(paths)):
        with pytest.raises(StoreDamaged) as caught:
            attempt()
        assert "backup" in caught.value.hint
        assert caught.value.exit_code == 7
    assert view.did


def test_a_folder_without_a_node_says_how_to_make_one(paths: Paths) -> None:
    with pytest.raises(NotInitialised) as caught:
        load_keys(paths)
    assert "enigma-fed init" in caught.value.hint


def test_loose_modes_of_a_key_are_refused_with_the_command_to_run(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    for path, mode in ((paths.node_key, 0o600), (paths.onion_key, 0o600), (paths.node_key.parent, 0o700)):
        path.chmod(mode | 0o044)
        with pytest.raises(LooseModes) as caught:
            load_keys(paths)
        assert caught.value.hint == f"Run: chmod {mode:o} {path}"
        assert caught.value.exit_code == 1
        path.chmod(mode)


def test_a_damaged_or_missing_onion_key_is_said(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    paths.onion_key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nxx\n")
    with pytest.raises(StoreDamaged):
        load_keys(paths)
    paths.onion_key.unlink()
    with pytest.raises(StoreDamaged, match="is missing"):
        load_keys(paths)


def test_the_configured_name_is_stronger_than_the_one_of_init(paths: Paths, settings: Settings) -> None:
    nameless = dataclasses.replace(settings, node=NodeSettings())
    initialise(paths, nameless, name="Dachböden")
    assert node_name(paths, nameless) == "Dachböden"
    assert node_name(paths, settings) == "attic"


def test_without_any_name_the_host_name_serves(
    paths: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = dataclasses.replace(settings, node=NodeSettings())
    monkeypatch.setattr(init.socket, "gethostname", lambda: "cellar.example.org")
    assert node_name(paths, nameless) == "cellar"
    monkeypatch.setattr(init.socket, "gethostname", lambda: "")
    assert node_name(paths, nameless) == "home"


def test_a_bad_name_writes_nothing(paths: Paths, settings: Settings) -> None:
    with pytest.raises(FieldInvalid):
        initialise(paths, settings, name="\x1b[0m")
    assert not paths.data_dir.exists()
