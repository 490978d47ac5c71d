"""Who may read the node's folders and files: the owner alone (invariant 8)."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from enigma_fed.base.errors import LooseModes

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
_OTHERS: Final = 0o077


def opened(path: Path) -> BinaryIO:
    """The file, to read; never waits for a writer where a named pipe has the name. Raises OSError."""
    return open(path, "rb", opener=_open_at_once)


def check_file(path: Path, status: os.stat_result) -> None:
    """Raise LooseModes unless the file is regular and the owner's alone."""
    if not stat.S_ISREG(status.st_mode):
        raise LooseModes(f"{path} is not a plain file", hint="Move it away.")
    if status.st_mode & _OTHERS:
        raise LooseModes(f"{path} has mode {stat.S_IMODE(status.st_mode):04o}", hint=f"Run: chmod 600 {path}")
    _check_owner(path, status)


def check_folder(path: Path) -> None:
    """Raise LooseModes unless the folder is the owner's alone; a missing folder passes."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        raise LooseModes(f"{path} is not a folder", hint="Move it away.")
    if status.st_mode & _OTHERS:
        raise LooseModes(f"{path} has mode {stat.S_IMODE(status.st_mode):04o}", hint=f"Run: chmod 700 {path}")
    _check_owner(path, status)


def check_credential(path: Path, status: os.stat_result) -> None:
    """Raise LooseModes unless a credential, or the folder of it, is as systemd makes it (systemd.exec(5)).

    It belongs to the service's user, or to root with an access list for that user: the group's bits
    are then the list's mask, and root is in the group alone.
    """
    by_list = (status.st_uid, status.st_gid) == (0, 0)
    if status.st_mode & (0o027 if by_list else _OTHERS):
        raise LooseModes(
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}",
            hint="Let systemd load it: LoadCredential= in the unit",
        )
    _check_owner(path, status)


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), 0):
        raise LooseModes(f"{path} belongs to another user", hint="Run this as the owner of the data folder.")


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
