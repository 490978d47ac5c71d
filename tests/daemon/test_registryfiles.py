"""A registry's files: made for their owner alone, edited whole or not at all, and watched."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import AlreadyInitialised, ConfigError, WriteFailed
from enigma_fed.base.tasks import Tasks
from enigma_fed.daemon import registryfiles
from enigma_fed.daemon.registryfiles import FileWatch
from enigma_fed.storage.disk import Disk
from tests.support.manualclock import ManualClock
from tests.support.prerequisites import missing


def added(text: str) -> tuple[str, int]:
    return text + "more\n", len(text)


def test_invariant_8_a_new_file_is_its_owners_alone_and_none_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    registryfiles.create(path, "a = 1\n")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(AlreadyInitialised):
        registryfiles.create(path, "a = 2\n")
    assert path.read_text(encoding="utf-8") == "a = 1\n"


@pytest.mark.parametrize(("mode", "kept"), [(0o600, 0o600), (0o640, 0o640), (0o644, 0o640), (0o666, 0o640)])
def test_invariant_8_an_edit_keeps_what_the_group_may_and_takes_the_rest_away(
    tmp_path: Path, mode: int, kept: int
) -> None:
    path = tmp_path / "registry.toml"
    path.write_text("one\n", encoding="utf-8")
    path.chmod(mode)
    assert registryfiles.edit(path, added) == 4
    assert path.read_text(encoding="utf-8") == "one\nmore\n"
    assert path.stat().st_mode & 0o777 == kept


def test_what_root_writes_beside_anothers_file_is_that_users_too(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("to write for another user takes root")
    path = tmp_path / "registry.toml"
    path.write_text("one\n", encoding="utf-8")
    os.chown(path, 12_345, 12_346)
    path.chmod(0o640)
    registryfiles.edit(path, added)
    registryfiles.create(tmp_path / "key", "digits", path.stat())
    found = {each.name: each.stat() for each in tmp_path.iterdir()}
    assert found.keys() == {"registry.toml", "registry.toml.lock", "key"}
    assert {(each.st_uid, each.st_gid) for each in found.values()} == {(12_345, 12_346)}
    assert found["registry.toml"].st_mode & 0o777 == 0o640
    assert found["key"].st_mode & 0o777 == 0o600


def test_an_edit_through_a_link_changes_the_file_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path = tmp_path / "real" / "registry.toml"
    path.write_text("one\n", encoding="utf-8")
    (tmp_path / "link.toml").symlink_to(path)
    registryfiles.edit(tmp_path / "link.toml", added)
    assert (tmp_path / "link.toml").is_symlink()
    assert path.read_text(encoding="utf-8") == "one\nmore\n"


def test_invariant_5_an_edit_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "registry.toml"
    path.write_text("one\n", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Disk, "sync", full)
    with pytest.raises(WriteFailed, match="No space left"):
        registryfiles.edit(path, added)
    assert path.read_text(encoding="utf-8") == "one\n"
    assert not path.with_name("registry.toml.tmp").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "registry.toml"
    path.write_text("one\n", encoding="utf-8")

    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Disk, "open_new", refused)
    with pytest.raises(WriteFailed, match="Permission denied"):
        registryfiles.edit(path, added)


def test_what_cannot_be_read_is_not_edited(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    for unreadable in (path, tmp_path / "none" / "registry.toml"):
        with pytest.raises(ConfigError, match="no such file"):
            registryfiles.edit(unreadable, added)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        registryfiles.edit(path, added)
    path.write_bytes(b"#" * (limits.CONFIG_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than"):
        registryfiles.edit(path, added)


def test_a_change_that_is_refused_names_the_file(tmp_path: Path) -> None:
    def refuse(text: str) -> tuple[str, None]:
        raise ConfigError("no key", hint="Make one.")

    path = tmp_path / "registry.toml"
    path.write_text("one\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no key") as caught:
        registryfiles.edit(path, refuse)
    assert caught.value.detail == f"{path}: no key"
    assert caught.value.hint == "Make one."


def test_a_change_of_any_kind_is_seen_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("1", encoding="utf-8")
    watch = FileWatch([first, second])
    assert not watch.changed()
    second.write_text("new", encoding="utf-8")
    assert watch.changed()
    assert not watch.changed()
    os.utime(first, ns=(1, 1))
    assert watch.changed()
    (tmp_path / "other").write_text("1", encoding="utf-8")
    os.utime(tmp_path / "other", ns=(1, 1))
    (tmp_path / "other").replace(first)
    assert watch.changed(), "the same size and time, and another file"
    second.unlink()
    assert watch.changed()
    watch.follow([first])
    second.write_text("not looked at", encoding="utf-8")
    assert not watch.changed()


def test_a_change_while_the_files_are_read_is_seen_after_that(tmp_path: Path) -> None:
    path, certificate = tmp_path / "registry.toml", tmp_path / "certificate"
    watch = FileWatch([path])
    path.write_text("new", encoding="utf-8")
    watch.follow([path, certificate])
    assert watch.changed()
    assert not watch.changed()


async def test_files_are_looked_at_every_few_seconds(tmp_path: Path) -> None:
    path, clock, tasks = tmp_path / "registry.toml", ManualClock(), Tasks()
    told: asyncio.Queue[None] = asyncio.Queue()
    watch = FileWatch([path])
    tasks.start("watch", watch.tell(clock.sleep, lambda: told.put_nowait(None)))
    await asyncio.sleep(0)
    path.write_text("new", encoding="utf-8")
    clock.advance(registry_limits.REGISTRY_FILES_INTERVAL - 1)
    await asyncio.sleep(0)
    assert told.empty()
    clock.advance(1)
    async with asyncio.timeout(30):
        await told.get()
    assert tasks.failures == {}
    await tasks.close()
