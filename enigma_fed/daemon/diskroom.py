"""How much room the data folder's disk has, asked in a worker thread: one that hangs never holds the loop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from enigma_fed.base import limits
from enigma_fed.base.tasks import Tasks
from enigma_fed.daemon.readiness import Room


class DiskRoom:
    """Asks one thing at a time: a disk that hangs holds one thread, however many ask."""

    def __init__(self, folder: Path, tasks: Tasks) -> None:
        self._folder = folder
        self._tasks = tasks
        self._asking: asyncio.Task[None] | None = None
        self._room: Room | None = None

    async def look(self) -> Room | None:
        """The room now; None when the disk does not say within limits.DISK_PATIENCE."""
        if self._asking is None:
            self._room = None
            self._asking = self._tasks.start("disk room", self._ask())
        await asyncio.wait({self._asking}, timeout=limits.DISK_PATIENCE)
        return self._room

    async def _ask(self) -> None:
        try:
            self._room = await asyncio.to_thread(_room, self._folder)
        finally:
            self._asking = None


def _room(folder: Path) -> Room | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return Room(found.f_bavail * found.f_frsize, read_only=bool(found.f_flag & os.ST_RDONLY))
