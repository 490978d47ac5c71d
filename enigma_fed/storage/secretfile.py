"""Key files: written once, readable by the owner alone (invariant 8)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import AlreadyInitialised, NotInitialised, StoreDamaged
from enigma_fed.storage import modes
from enigma_fed.storage.disk import Disk

_UNREADABLE: Final = (
    "Give it back to this node's user with mode 600; when the disk cannot read it, restore it from a backup."
)


def write_new(path: Path, data: bytes, *, disk: Disk | None = None) -> None:
    """Write a new key file (0600, folder 0700), durable on return.

    Raises AlreadyInitialised when the file exists, LooseModes, WriteFailed.
    """
    disk = disk or Disk()
    disk.make_folder(path.parent)
    try:
        disk.create(path, data)
    except FileExistsError:
        raise AlreadyInitialised(f"{path} exists") from None


def read_credential(path: Path) -> bytes:
    """The content, at most 64 KiB, of a key that systemd gave us; raises LooseModes, StoreDamaged."""
    try:
        modes.check_credential(path.parent, path.parent.stat())
        with modes.opened(path) as file:
            modes.check_credential(path, os.fstat(file.fileno()))
            data = file.read(limits.SECRET_FILE_BYTES + 1)
    except OSError as error:
        hint = "Look at the lines LoadCredential= of the service: systemctl cat enigma-fed"
        raise StoreDamaged(f"{path} cannot be read: {error.strerror or error}", hint=hint) from error
    if len(data) > limits.SECRET_FILE_BYTES:
        raise StoreDamaged(f"{path} is larger than {limits.SECRET_FILE_BYTES} bytes")
    return data


def read(path: Path, *, disk: Disk | None = None) -> bytes:
    """The content of a key file of at most 64 KiB.

    Raises NotInitialised when there is none, LooseModes when others could read it, StoreDamaged.
    """
    disk = disk or Disk()
    disk.check_folder(path.parent)
    try:
        return disk.read(path, limits.SECRET_FILE_BYTES)
    except FileNotFoundError:
        raise NotInitialised(f"{path} is missing", hint="Run: enigma-fed init") from None
    except OSError as error:
        raise StoreDamaged(f"{path} cannot be read: {error.strerror or error}", hint=_UNREADABLE) from error
