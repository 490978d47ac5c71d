"""Durable writes: temporary file, fsync, rename, fsync of the folder.

Every step goes through a `Disk`, so that a test can record the steps or let one fail.
A failed fsync is a failed write: what it covered is thrown away, never trusted.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from enigma_fed.base.errors import StoreDamaged, WriteFailed
from enigma_fed.storage import modes


class Disk:
    """The operating system's files."""

    def read(self, path: Path, limit: int) -> bytes:
        """The whole file; raises FileNotFoundError, LooseModes, StoreDamaged when larger than `limit`."""
        with path.open("rb") as file:
            modes.check_file(path, os.fstat(file.fileno()))
            data = file.read(limit + 1)
        if len(data) > limit:
            raise StoreDamaged(f"{path} is larger than {limit} bytes")
        return data

    def head(self, path: Path, size: int) -> bytes | None:
        """The first bytes of the file; None when there is none."""
        try:
            with path.open("rb") as file:
                return file.read(size)
        except FileNotFoundError:
            return None

    def replace(self, path: Path, data: bytes) -> None:
        """Put `data` (mode 0600) in place of the file, durable on return; raises WriteFailed."""
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            self.write_new(temporary, data)
            self.rename(temporary, path)
            self.sync_folder(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                self.unlink(temporary)
            raise WriteFailed(f"{path}: {error.strerror or error}") from error

    def create(self, path: Path, data: bytes) -> None:
        """Write a file that must not exist yet, durable on return; raises FileExistsError, WriteFailed."""
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
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

    def write_new(self, path: Path, data: bytes) -> None:
        """Write and fsync a temporary file; one left behind by a killed process is replaced."""
        with contextlib.suppress(FileNotFoundError):
            self.unlink(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, modes.FILE_MODE)
        try:
            view = memoryview(data)
            while view:
                view = view[self.write(descriptor, view) :]
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of `data`; how many bytes it was."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Bring a file or folder to the disk."""
        os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Put `source` in the place of `target`."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """Give `source` a second name; raises FileExistsError."""
        target.hardlink_to(source)

    def unlink(self, path: Path) -> None:
        """Take a name away."""
        path.unlink()

    def sync_folder(self, folder: Path) -> None:
        """Bring the names in a folder to the disk."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)
