"""The data folder's lock when something is in the way."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from enigma_fed.base.errors import LockBusy, WriteFailed
from enigma_fed.storage.folderlock import FolderLock, Holder


def test_a_lock_is_taken_once(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "data")
    lock.acquire(0.0)
    with pytest.raises(LockBusy, match="this process"):
        lock.acquire(0.0)
    lock.release()


def test_a_lock_file_that_cannot_be_opened_is_an_error_of_the_disk(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "data")
    lock.acquire(0.0)
    lock.release()
    file = next(path for path in (tmp_path / "data").iterdir() if path.is_file())
    file.unlink()
    file.mkdir()
    with pytest.raises(WriteFailed):
        FolderLock(tmp_path / "data").acquire(0.0)


def test_a_holder_that_has_not_written_its_name_yet_is_somebody(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "data")
    lock.acquire(0.0)
    lock.release()
    file = next(path for path in (tmp_path / "data").iterdir() if path.is_file())
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.ftruncate(descriptor, 0)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert lock.holder() == Holder(0, "command")
        with pytest.raises(LockBusy, match="it is locked"):
            lock.acquire(0.0)
    finally:
        os.close(descriptor)
