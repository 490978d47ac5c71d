"""The folder of a registry (`storage.path`), which one process has at a time (docs/FILES.md)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from enigma_fed.base.errors import LockBusy, LooseModes
from enigma_fed.base.registry_errors import RegistryRunning
from enigma_fed.registry import sledfolder
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.folderlock import FolderLock

_PATIENCE: Final = 0.5
"""Seconds: the server that this one replaces may still be letting go."""


class RegistryFolder:
    """A registry's folder; `take` it before anything in it is touched. Blocks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FolderLock(path)

    def take(self) -> None:
        """Make the folder (0700) if it is missing, and lock it for this process.

        Raises ForeignStore (sled's files are in it), RegistryRunning, LooseModes, WriteFailed.
        """
        names: list[str] = []
        with contextlib.suppress(OSError):  # no folder, or nobody's of ours: that is told below
            names = Disk().names(self.path)
        sledfolder.refuse(str(self.path), names)
        try:
            Disk().make_folder(self.path)
        except LooseModes as error:
            if "chmod" not in error.hint:
                raise
            hint = f"Name a folder for this registry alone: storage.path. If that is one: {error.hint}"
            raise LooseModes(error.detail, hint=hint) from None
        try:
            self._lock.acquire(_PATIENCE, kind="registry")
        except LockBusy as error:
            raise RegistryRunning(f"{self.path}: {error.detail}") from None

    def release(self) -> None:
        """Give it back; nothing happens when it is not held."""
        self._lock.release()
