"""A registry's configuration on the disk: made, edited in place, and watched by a running server."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import AlreadyInitialised, ConfigError, WriteFailed
from enigma_fed.storage import modes
from enigma_fed.storage.disk import Disk

T = TypeVar("T")

_LOCK_WAIT: Final = 10.0
_KEPT: Final = 0o640
"""Of its mode a file with secrets keeps what its owner gave to its group."""


def create(path: Path, text: str) -> None:
    """Write a new file (0600), durable on return; the folder above must be there.

    Raises AlreadyInitialised, WriteFailed.
    """
    try:
        Disk().create(path, text.encode("utf-8"))
    except FileExistsError:
        raise AlreadyInitialised(f"{path} exists") from None


def edit(path: Path, change: Callable[[str], tuple[str, T]]) -> T:
    """Put `change` of the file's text in its place: the whole new file or the old one, whatever happens.

    Owner and group stay, others get nothing. Gives what `change` says beside the text. Raises what it raises,
    ConfigError, WriteFailed, LockBusy.
    """
    real, disk = path.resolve(), Disk()
    _read(real)  # the lock would make the folders above a file that is not there
    with disk.locked(real.with_name(f"{real.name}.lock"), _LOCK_WAIT):
        text, status = _read(real)
        try:
            changed, result = change(text)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error.detail}", hint=error.hint) from None
        if changed != text or status.st_mode & ~_KEPT & 0o777:
            _replace(disk, real, changed.encode("utf-8"), status)
    return result


def _read(path: Path) -> tuple[str, os.stat_result]:
    try:
        with modes.opened(path) as file:
            status = os.fstat(file.fileno())
            data = file.read(limits.CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or 'it cannot be read').lower()}") from None
    if len(data) > limits.CONFIG_BYTES:
        raise ConfigError(f"{path} is larger than {limits.CONFIG_BYTES} bytes")
    try:
        return data.decode("utf-8"), status
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not TOML: it is no UTF-8") from None


def _replace(disk: Disk, path: Path, data: bytes, status: os.stat_result) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        disk.write_new(temporary, data)
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            shutil.chown(temporary, status.st_uid, status.st_gid)
        temporary.chmod(stat.S_IMODE(status.st_mode) & _KEPT)
        disk.rename(temporary, path)
        disk.sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise WriteFailed(f"{path}: {error.strerror or error}") from error


class FileWatch:
    """Tells when files have changed: by name, size, time or by being another file."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._seen: dict[Path, tuple[int, ...] | None] = {}
        self.follow(files)

    def follow(self, files: Iterable[Path]) -> None:
        """Watch these from here on; blocks. One that is watched already counts as it was at the last look.

        So what changes while files are read is noticed after that.
        """
        self._seen = {path: self._seen[path] if path in self._seen else _stamp(path) for path in files}

    def changed(self) -> bool:
        """Whether one is another than at the last look; blocks."""
        now = {path: _stamp(path) for path in self._seen}
        was, self._seen = self._seen, now
        return was != now

    async def tell(self, sleep: Callable[[float], Awaitable[None]], changed: Callable[[], None]) -> None:
        """Look every few seconds, for ever, and call `changed` each time that something has."""
        while True:
            await sleep(registry_limits.REGISTRY_FILES_INTERVAL)
            if await asyncio.to_thread(self.changed):
                changed()


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
