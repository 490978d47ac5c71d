"""A registry's configuration on the disk: made, edited in place, and watched by a running server."""

from __future__ import annotations

import asyncio
import os
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


def create(path: Path, text: str, owner: os.stat_result | None = None) -> None:
    """Write a new file (0600), durable on return, for the owner of another one if that is given.

    The folder above must be there. Raises AlreadyInitialised, WriteFailed.
    """
    disk = Disk() if owner is None else _OwnersDisk(owner, modes.FILE_MODE)
    try:
        disk.create(path, text.encode("utf-8"))
    except FileExistsError:
        raise AlreadyInitialised(f"{path} exists") from None


def edit(path: Path, change: Callable[[str], tuple[str, T]], *, kept: int = _KEPT) -> T:
    """Put `change` of the file's text in its place: the whole new file or the old one, whatever happens.

    Owner and group stay, and of the mode what is in `kept`: others get nothing. Gives what `change` says
    beside the text. Raises what it raises, ConfigError, WriteFailed, LockBusy.
    """
    real = path.resolve()
    _, status = _read(real)
    disk = _OwnersDisk(status, stat.S_IMODE(status.st_mode) & kept)
    lock = real.with_name(f"{real.name}.lock")
    disk.make_lock(lock)
    with disk.locked(lock, _LOCK_WAIT):
        text, _ = _read(real)
        try:
            changed, result = change(text)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error.detail}", hint=error.hint) from None
        if changed != text or status.st_mode & ~kept & 0o777:
            disk.replace(real, changed.encode("utf-8"))
    return result


class _OwnersDisk(Disk):
    """Makes files for the owner of another one: root may work in the folder of a service with its own user.

    By descriptor, never by name: whoever owns the folder could have put another file under a name meanwhile.
    """

    def __init__(self, status: os.stat_result, mode: int) -> None:
        self._owner = (status.st_uid, status.st_gid)
        self._mode = mode

    def open_new(self, path: Path) -> int:
        """Make an empty file and open it for writing."""
        descriptor = super().open_new(path)
        try:
            if self._owner != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, *self._owner)
            os.fchmod(descriptor, self._mode)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def make_lock(self, path: Path) -> None:
        """An empty file, if there is none; raises WriteFailed."""
        try:
            self.close(self.open_new(path))
        except FileExistsError:
            return
        except OSError as error:
            raise WriteFailed(f"{path}: {error.strerror or error}") from error


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
