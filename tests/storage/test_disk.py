"""Durable writes, and the folders they go to."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from enigma_fed.base.errors import LockBusy, LooseModes, StoreDamaged, WriteFailed
from enigma_fed.storage.disk import Disk
from tests.support.memorydisk import Image, MemoryDisk


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_every_folder_on_the_way_is_the_owners_alone(tmp_path: Path) -> None:
    Disk().make_folder(tmp_path / "share" / "home" / "identity")
    for folder in ("share", "share/home", "share/home/identity"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_an_open_folder_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(LooseModes, match="chmod 700"):
        Disk().make_folder(tmp_path / "open")


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LooseModes, match="not a folder"):
        Disk().make_folder(tmp_path / "file")
    with pytest.raises(WriteFailed):
        Disk().make_folder(tmp_path / "file" / "below")


def test_a_folder_that_somebody_else_just_made_is_taken(tmp_path: Path) -> None:
    class Slow(Disk):
        def exists(self, path: Path) -> bool:
            return path != tmp_path / "made" and super().exists(path)

    (tmp_path / "made").mkdir(mode=0o700)
    Slow().make_folder(tmp_path / "made")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "file").chmod(0o600)
    assert Disk().read(tmp_path / "file", 5) == b"12345"
    with pytest.raises(StoreDamaged, match="larger than 4"):
        Disk().read(tmp_path / "file", 4)


def test_what_is_not_there_has_no_head_and_no_names(tmp_path: Path) -> None:
    assert Disk().head(tmp_path / "file", 5) is None
    assert Disk().names(tmp_path / "folder") == []


def test_a_lock_is_waited_for_and_then_busy_and_cannot_be_a_folder(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with Disk().locked(lock, 1.0), pytest.raises(LockBusy), Disk().locked(lock, 0.05):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteFailed), Disk().locked(tmp_path / "folder", 0.05):
        pass


@pytest.mark.parametrize("chunk", [1, 7, None])
def test_invariant_5_short_writes_are_completed(chunk: int | None) -> None:
    disk = MemoryDisk(chunk=chunk)
    disk.replace(Path("/file"), b"0123", b"", b"456789")
    assert disk.image.files == {"/file": b"0123456789"}


@pytest.mark.parametrize("work", ["replace", "create", "keep_as", "remove", "settle", "make_folder"])
def test_invariant_5_every_step_that_fails_is_a_failed_write(work: str) -> None:
    """Also an fsync: what it covered is not trusted, and no half file is left under any name."""

    def run(disk: MemoryDisk) -> None:
        arguments: dict[str, tuple[object, ...]] = {
            "replace": (Path("/old"), b"new"),
            "create": (Path("/new"), b"new"),
            "keep_as": (Path("/old"), Path("/kept")),
            "remove": (Path("/old"),),
            "settle": (Path("/old"),),
            "make_folder": (Path("/a/b"),),
        }
        getattr(disk, work)(*arguments[work])

    def disk_with_a_file() -> MemoryDisk:
        return MemoryDisk(Image(files={"/old": b"old"}))

    whole = disk_with_a_file()
    run(whole)
    for number in range(len(whole.steps)):
        for fault in (errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT):
            disk = disk_with_a_file()
            disk.refuse_at, disk.fault = number, OSError(fault, os.strerror(fault))
            with pytest.raises(WriteFailed, match=os.strerror(fault)):
                run(disk)
            assert (
                not [name for name in disk.image.files if name.endswith(".tmp")]
                or whole.steps[number].kind == "unlink"
            )
            assert set(disk.image.files.values()) <= {b"old", b"new"}


def test_a_file_that_is_there_is_not_created_again() -> None:
    disk = MemoryDisk(Image(files={"/old": b"old"}))
    with pytest.raises(FileExistsError):
        disk.create(Path("/old"), b"new")
    assert disk.image.files == {"/old": b"old"}


def test_a_second_name_that_is_there_stays() -> None:
    disk = MemoryDisk(Image(files={"/old": b"old", "/kept": b"old"}))
    disk.keep_as(Path("/old"), Path("/kept"))
    assert [step.kind for step in disk.steps] == ["sync folder"]


def test_the_disk_in_memory_does_what_the_real_one_does(tmp_path: Path) -> None:
    """The crash tests stand on it."""
    memory = MemoryDisk(Image(folders=frozenset(map(str, (tmp_path, *tmp_path.parents)))))
    for disk in (Disk(), memory):
        folder = tmp_path / "a" / "b"
        disk.make_folder(folder)
        disk.replace(folder / "one", b"1")
        disk.replace(folder / "one", b"11")
        disk.create(folder / "two", b"2")
        with pytest.raises(FileExistsError):
            disk.create(folder / "two", b"22")
        with pytest.raises(FileExistsError):
            disk.mkdir(folder)
        disk.keep_as(folder / "two", folder / "three")
        disk.keep_as(folder / "two", folder / "three")
        disk.remove(folder / "two")
        with pytest.raises(WriteFailed):
            disk.remove(folder / "two")
        with pytest.raises(WriteFailed):
            disk.replace(tmp_path / "none" / "x", b"")
        with pytest.raises(FileNotFoundError):
            disk.read(folder / "two", 9)
        assert disk.exists(folder)
        assert not disk.exists(folder / "two")
    real = {name: (tmp_path / "a" / "b" / name).read_bytes() for name in Disk().names(tmp_path / "a" / "b")}
    assert {Path(name).name: data for name, data in memory.image.files.items()} == real
    assert memory.names(tmp_path / "a") == Disk().names(tmp_path / "a") == ["b"]
    assert real == {"one": b"11", "three": b"2"}
