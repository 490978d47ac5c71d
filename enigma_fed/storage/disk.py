"""Durable writes: temporary file, fsync, rename, fsync of the folder.

Every step goes through a `Disk`, so that a test can record the steps, replay them, or let one fail.
A failed fsync is a failed write: what it covered is thrown away, never trusted.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from enigma_fed.base.errors import LockBusy, StoreDamaged, WriteFailed
from enigma_fed.storage import modes


class Disk:
    """The operating system's files."""

    def read(self, path: Path, limit: int) -> bytes:
        """The whole file; raises FileNotFoundError, LooseModes, StoreDamaged when larger than `limit`."""
        with modes.opened(path) as file:
            modes.check_file(path, os.fstat(file.fileno()))
            data = file.read(limit + 1)
        if len(data) > limit:
            raise StoreDamaged(f"{path} is larger than {limit} bytes")
        return data

    def head(self, path: Path, size: int) -> bytes | None:
        """The first bytes of the file, whatever its mode; None when there is none. Raises OSError."""
        try:
            with modes.opened(path) as file:
                return file.read(size)
        except FileNotFoundError:
            return None

    def exists(self, path: Path) -> bool:
        """Whether there is something of this name."""
        return path.exists()

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; none when there is no folder."""
        try:
            return sorted(path.name for path in folder.iterdir())
        except FileNotFoundError:
            return []

    def check_folder(self, folder: Path) -> None:
        """Raise LooseModes unless the folder is the owner's alone; a missing one passes."""
        modes.check_folder(folder)

    @contextmanager
    def locked(self, path: Path, wait: float) -> Iterator[None]:
        """Hold the lock file `path`, waiting at most `wait` seconds; raises LockBusy, WriteFailed."""
        lock = filelock.FileLock(path, timeout=wait, mode=modes.FILE_MODE)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise LockBusy(f"{path} is locked", hint="Try again in a moment.") from None
        except OSError as error:
            raise WriteFailed(f"{path}: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.release()

    def make_folder(self, folder: Path) -> None:
        """Make the folder and the missing ones above it, each 0700 and durable; an existing one is checked.

        Raises LooseModes, WriteFailed.
        """
        try:
            for missing in reversed([each for each in (folder, *folder.parents) if not self.exists(each)]):
                # Not `parents=True`: that leaves the folders above to the umask.
                with contextlib.suppress(FileExistsError):
                    self.mkdir(missing)
                self.sync_folder(missing.parent)
        except OSError as error:
            raise WriteFailed(f"the folder {folder} cannot be made: {error.strerror}") from error
        self.check_folder(folder)

    def replace(self, path: Path, *parts: bytes) -> None:
        """Put these bytes (mode 0600) in place of the file, durable on return; raises WriteFailed."""
        temporary = _temporary(path)
        try:
            self.write_new(temporary, *parts)
            self.rename(temporary, path)
            self.sync_folder(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                self.unlink(temporary)
            raise WriteFailed(f"{path}: {error.strerror or error}") from error

    def create(self, path: Path, data: bytes) -> None:
        """Write a file that must not exist yet, durable on return; raises FileExistsError, WriteFailed."""
        temporary = _temporary(path)
        try:
            self.write_new(temporary, data)
            self.link(temporary, path)
            self.unlink(temporary)
            self.sync_folder(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                self.unlink(temporary)
            if isinstance(error, FileExistsError):
                raise
            raise WriteFailed(f"{path}: {error.strerror or error}") from error

    def keep_as(self, path: Path, other: Path) -> None:
        """Give the file a second name, if that is not there yet, durable on return; raises WriteFailed."""
        try:
            with contextlib.suppress(FileExistsError):
                self.link(path, other)
            self.sync_folder(path.parent)
        except OSError as error:
            raise WriteFailed(f"{other}: {error.strerror or error}") from error

    def remove(self, path: Path) -> None:
        """Take a file away, durable on return; raises WriteFailed."""
        try:
            self.unlink(path)
            self.sync_folder(path.parent)
        except OSError as error:
            raise WriteFailed(f"{path}: {error.strerror or error}") from error

    def settle(self, path: Path) -> None:
        """Make the name of a file durable, whose content is; raises WriteFailed."""
        try:
            self.sync_folder(path.parent)
        except OSError as error:
            raise WriteFailed(f"{path}: {error.strerror or error}") from error

    def write_new(self, path: Path, *parts: bytes) -> None:
        """Write and fsync a temporary file; one left behind by a killed process is replaced."""
        with contextlib.suppress(FileNotFoundError):
            self.unlink(path)
        descriptor = self.open_new(path)
        try:
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[self.write(descriptor, view) :]
            self.sync(descriptor)
        finally:
            self.close(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Bring the names in a folder to the disk."""
        descriptor = self.open_folder(folder)
        try:
            self.sync(descriptor)
        finally:
            self.close(descriptor)

    # Single steps of the operating system; each raises OSError.

    def open_new(self, path: Path) -> int:
        """Make an empty file (mode 0600) and open it for writing."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, modes.FILE_MODE)

    def open_folder(self, folder: Path) -> int:
        """Open a folder, for `sync`."""
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self, descriptor: int) -> None:
        """Close what was opened."""
        os.close(descriptor)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of `data`; how many bytes it was."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Bring a file or folder to the disk."""
        os.fsync(descriptor)

    def mkdir(self, folder: Path) -> None:
        """Make one folder (mode 0700)."""
        folder.mkdir(mode=modes.FOLDER_MODE)

    def rename(self, source: Path, target: Path) -> None:
        """Put `source` in the place of `target`."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """Give `source` a second name; raises FileExistsError."""
        target.hardlink_to(source)

    def unlink(self, path: Path) -> None:
        """Take a name away."""
        path.unlink()


def _temporary(path: Path) -> Path:
    """One name for all writers: they hold a lock, and what a killed one left is replaced."""
    return path.with_name(f"{path.name}.tmp")
