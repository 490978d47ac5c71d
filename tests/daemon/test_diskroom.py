"""A disk is asked how much room it has, and one that hangs holds nobody up."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.tasks import Tasks
from enigma_fed.daemon import diskroom
from enigma_fed.daemon.diskroom import DiskRoom
from enigma_fed.daemon.readiness import Room


async def test_the_room_is_what_may_be_written(tmp_path: Path) -> None:
    room = await DiskRoom(tmp_path, Tasks()).look()
    assert room is not None
    assert room.free > 0
    assert not room.read_only


async def test_a_folder_that_is_gone_has_no_room(tmp_path: Path) -> None:
    assert await DiskRoom(tmp_path / "gone", Tasks()).look() is None


async def test_invariant_7_a_disk_that_hangs_holds_one_thread_and_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DISK_PATIENCE", 0.05)
    asked: list[Path] = []
    answers = threading.Event()

    def hang(folder: Path) -> Room:
        asked.append(folder)
        answers.wait(60)
        return Room(1)

    monkeypatch.setattr(diskroom, "_room", hang)
    disk = DiskRoom(tmp_path, Tasks())
    assert await asyncio.gather(disk.look(), disk.look()) == [None, None]
    assert await disk.look() is None
    assert asked == [tmp_path]
    monkeypatch.setattr(limits, "DISK_PATIENCE", 60)
    looking = asyncio.create_task(disk.look())
    answers.set()
    assert await looking == Room(1)
    assert await disk.look() == Room(1)
    assert len(asked) == 2
