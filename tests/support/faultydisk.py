"""A disk that is full for a while."""

from __future__ import annotations

from pathlib import Path

from enigma_fed.base.errors import WriteFailed
from enigma_fed.storage.disk import Disk


class FaultyDisk(Disk):
    """Refuses to replace the files of one name (None: all) while `broken`, or for the next `failures`."""

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        self.broken = False
        self.failures = 0

    def replace(self, path: Path, *parts: bytes) -> None:
        if self._name in (None, path.name) and (self.broken or self.failures):
            self.failures = max(0, self.failures - 1)
            raise WriteFailed("No space left on device")
        super().replace(path, *parts)
