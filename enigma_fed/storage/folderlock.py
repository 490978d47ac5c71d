"""One writer per data folder: a lock that the kernel drops when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Literal, Self

import msgspec

from enigma_fed.base.errors import LockBusy, LooseModes, WriteFailed
from enigma_fed.storage import modes
from enigma_fed.storage.disk import Disk

Kind = Literal["agent", "command", "registry"]

_NAME: Final = "lock"
_NAMES: Final[Mapping[Kind, str]] = MappingProxyType(
    {"agent": "the agent", "command": "a command", "registry": "a registry"}
)
_RETRY: Final = 0.05
_PATIENCE: Final = 0.2
"""Shortest wait: somebody's look at the lock (`holder`) takes it for an instant."""


class Holder(msgspec.Struct, frozen=True):
    """Who has the lock."""

    pid: int
    kind: Kind


class FolderLock:
    """The lock of one data folder, `<data>/lock`; call it off the event loop."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / _NAME
        self._descriptor: int | None = None

    def acquire(self, wait: float, *, kind: Kind = "command") -> None:
        """Take the lock within `wait` seconds; raises LockBusy. Held until `release` or the process's end."""
        if self._descriptor is not None:
            raise LockBusy("this process already holds it")
        descriptor = self._open()
        try:
            self._wait(descriptor, time.monotonic() + max(wait, _PATIENCE))
            self._record(descriptor, Holder(os.getpid(), kind))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> Holder | None:
        """Who holds the lock right now; None when nobody does."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._recorded(descriptor)
        else:
            return None
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _open(self) -> int:
        folder = self._path.parent
        try:
            Disk().make_folder(folder)
        except LooseModes as error:
            if "chmod" not in error.hint or self._is_there():
                raise
            # No node's so far: the plain advice would close /tmp, or another program's folder, to all others.
            hint = f"Name a folder for this node alone: --data-dir. If that is one, run: chmod 700 {folder}"
            raise LooseModes(error.detail, hint=hint) from None
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, modes.FILE_MODE)
        except OSError as error:
            raise WriteFailed(f"{self._path}: {error.strerror}") from error

    def _is_there(self) -> bool:
        try:
            return self._path.exists()
        except PermissionError:
            return False

    def _wait(self, descriptor: int, deadline: float) -> None:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if time.monotonic() >= deadline:
                raise LockBusy(self._busy(descriptor), hint="Try again in a moment.")
            time.sleep(_RETRY)

    def _busy(self, descriptor: int) -> str:
        holder = self._recorded(descriptor)
        return f"{_NAMES[holder.kind]} (process {holder.pid}) holds it" if holder.pid else "it is locked"

    @staticmethod
    def _record(descriptor: int, holder: Holder) -> None:
        os.ftruncate(descriptor, 0)
        with contextlib.suppress(OSError):  # a full disk: the lock holds, only its holder is not named
            os.pwrite(descriptor, msgspec.json.encode(holder), 0)

    @staticmethod
    def _recorded(descriptor: int) -> Holder:
        try:
            return msgspec.json.decode(os.pread(descriptor, 256, 0), type=Holder)
        except msgspec.DecodeError:
            return Holder(0, "command")  # taken an instant ago, not written down yet
