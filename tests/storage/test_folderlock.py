from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from enigma_fed.base.errors import LockBusy, LooseModes, WriteFailed
from enigma_fed.storage.folderlock import FolderLock, Holder

HOLD = """
import sys
from pathlib import Path
from enigma_fed.storage.folderlock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.acquire(5.0, kind="agent")
print("held", flush=True)
sys.stdin.read()
"""


def holding_process(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_invariant_5_one_holder_at_a_time_and_the_waiter_can_tell_who(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path / "data"), FolderLock(tmp_path / "data")
    assert first.holder() is None
    first.acquire(0.0, kind="agent")
    assert second.holder() == Holder(os.getpid(), "agent")
    with pytest.raises(LockBusy, match="the agent"):
        second.acquire(0.0)
    first.release()
    assert second.holder() is None
    second.acquire(0.0)
    assert first.holder() == Holder(os.getpid(), "command")
    second.release()
    second.release()


def test_a_look_at_the_lock_takes_it_from_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert FolderLock(folder).holder() is None
    assert not folder.exists()


def test_the_lock_ends_with_its_process_even_when_that_is_killed(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "data")
    process = holding_process(tmp_path / "data")
    try:
        assert lock.holder() == Holder(process.pid, "agent")
        with pytest.raises(LockBusy):
            lock.acquire(0.0)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert lock.holder() is None
    with lock:
        lock.acquire(0.0)
        assert lock.holder() == Holder(os.getpid(), "command")
    assert lock.holder() is None


def test_the_lock_file_is_the_owners_alone(tmp_path: Path) -> None:
    with FolderLock(tmp_path / "data") as lock:
        lock.acquire(0.0)
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "data" / "lock").stat().st_mode & 0o777 == 0o600


def test_the_holder_need_not_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the lock holds all the same; and an instant after it was taken nobody is named yet."""

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with FolderLock(tmp_path) as lock:
        lock.acquire(0.0, kind="agent")
        assert FolderLock(tmp_path).holder() == Holder(0, "command")
        with pytest.raises(LockBusy, match="it is locked"):
            FolderLock(tmp_path).acquire(0.0)
        with pytest.raises(LockBusy, match="this process"):
            lock.acquire(0.0)


def test_a_lock_that_cannot_be_made_is_a_failed_write(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(WriteFailed, match="lock"):
        FolderLock(tmp_path).acquire(0.0)


def test_an_open_folder_that_was_no_nodes_is_not_closed_to_others_by_our_advice(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    with pytest.raises(LooseModes) as caught:
        FolderLock(shared).acquire(0)
    assert caught.value.hint.startswith("Name a folder for this node alone: --data-dir")
    (shared / "lock").touch(0o600)
    with pytest.raises(LooseModes) as caught:
        FolderLock(shared).acquire(0)
    assert caught.value.hint == f"Run: chmod 700 {shared}"
    with pytest.raises(LooseModes, match="not a folder"):
        FolderLock(shared / "lock").acquire(0)


def test_a_folder_that_cannot_be_looked_into_holds_no_lock_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o744)

    def forbidden(path: Path) -> bool:
        raise PermissionError(path)

    monkeypatch.setattr("enigma_fed.storage.disk.Disk.exists", lambda self, path: True)
    monkeypatch.setattr(Path, "exists", forbidden)
    with pytest.raises(LooseModes, match="--data-dir"):
        FolderLock(tmp_path).acquire(0)
