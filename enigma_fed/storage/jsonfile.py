"""A JSON file that is never half written, never lost silently and never read as empty (invariant 5).

Beside the file (its bytes: storage/seal.py) stand `.bak`, a second full copy, and `.lock`, the file
lock of its read-modify-write. A change is acknowledged when both copies are durable. When the file is
damaged, missing or older than its copy, the copy is used, until the owner accepts it: docs/FILES.md.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from enigma_fed.base import limits
from enigma_fed.base.errors import Conflict, StoreDamaged, StoreNewer, WireError, WriteFailed
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.recovery import Recovery, marker_path, name_for, read_marker, write_marker
from enigma_fed.storage.seal import HEAD_BYTES, Head, digest, read_head, seal, unseal

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Loaded(Generic[T]):
    """A value with what its file was when it was read or written."""

    value: T
    rev: int
    sum: str
    """Empty for a file without one."""
    fingerprint: str
    """Hash of the whole file, the sum's digits included."""


@dataclass(frozen=True, slots=True)
class _Damage:
    """Why a file cannot be used."""

    why: str


class JsonFile(Generic[T]):
    """One JSON file of frozen values; every method blocks: call it off the event loop.

    `encode` gives the members of the object, `decode` reads them back and raises WireError; `now` is
    the Unix time. Who calls `update`, `mend` or `accept` holds the lock of the data folder.
    """

    def __init__(
        self,
        path: Path,
        encode: Callable[[T], Mapping[str, object]],
        decode: Callable[[Mapping[str, object]], T],
        *,
        disk: Disk | None = None,
        lock_wait: float = limits.LOCK_WAIT,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.copy_path = path.with_name(path.name + ".bak")
        self.recovery: Recovery | None = None
        """Set while what was read is a copy that the owner has not accepted."""
        self._encode = encode
        self._decode = decode
        self._disk = disk or Disk()
        self._lock_wait = lock_wait
        self._now = now
        self._loaded: _Loaded[T] | None = None

    def exists(self) -> bool:
        """Whether the file, its copy or the marker of its recovery is there."""
        return any(map(self._disk.exists, (self.path, self.copy_path, marker_path(self.path))))

    def create(self, value: T) -> None:
        """Write the first version; raises Conflict when the file or its copy is there, WriteFailed."""
        self._disk.make_folder(self.path.parent)
        with self._locked():
            if self.exists():
                raise Conflict(f"{self.path} exists")
            self._write(value, 1)

    def read(self) -> T:
        """The value, of the copy when the file is damaged (see `recovery`); nothing on disk changes.

        Raises StoreDamaged when the copy is, too; StoreNewer, LooseModes.
        """
        loaded, damage = self._load()
        self.recovery = read_marker(self.path, self._disk)
        if damage is not None:
            self.recovery = Recovery(file=self.path.name, why=damage.why, rev=loaded.rev)
        return loaded.value

    def look_at_copy(self) -> str | None:
        """What is wrong with the copy; None when it could stand in for the file."""
        copy = self._read(self.copy_path)
        if isinstance(copy, _Damage):
            return copy.why
        main = self._read(self.path)
        older = isinstance(main, _Loaded) and copy.rev < main.rev
        return "it is older than its file" if older else None

    def update(self, change: Callable[[T], T]) -> T:
        """Replace the value by `change(value)` under the file's lock; durable on return.

        Nothing is written when `change` returns the very value it got or raises.
        Raises what `mend` raises.
        """
        with self._locked():
            loaded = self._sound()
            value = change(loaded.value)
            if value is not loaded.value:
                self._write(value, loaded.rev + 1)
            return value

    def mend(self) -> T:
        """The value, once the file and its copy are sound and durable: what is wrong is repaired.

        A damaged file is set aside, its copy takes its place, and `recovery` says so from then on.
        Raises StoreDamaged when both are damaged: then nothing is moved. Raises StoreNewer,
        LooseModes, LockBusy, WriteFailed.
        """
        with self._locked():
            loaded = self._sound()
            self.recovery = read_marker(self.path, self._disk)
            if loaded.rev:  # a file of another agent stays as it is until the first change
                self._mend_copy(loaded)
            return loaded.value

    def accept(self) -> None:
        """Take the recovered content for right: the degraded mode ends, durably.

        Raises what `mend` raises.
        """
        with self._locked():
            self._sound()
            marker = marker_path(self.path)
            if self._disk.exists(marker):
                self._disk.remove(marker)
            self.recovery = None

    def _locked(self) -> AbstractContextManager[None]:
        return self._disk.locked(self.path.with_name(self.path.name + ".lock"), self._lock_wait)

    def _write(self, value: T, rev: int) -> None:
        data = seal(self._encode(value), rev)
        if len(data) > limits.STORE_FILE_BYTES:
            raise WriteFailed(
                f"{self.path}: it would be larger than what is read back",
                hint="Remove peers that are not needed any more: enigma-fed peer list",
            )
        self._loaded = None  # until both copies stand, what is on disk is not known
        self._disk.replace(self.path, data)
        self._disk.replace(self.copy_path, data)
        self._loaded = _Loaded(value, rev, _sum_of(data), digest(data))

    def _load(self) -> tuple[_Loaded[T], _Damage | None]:
        """What counts, and what is wrong with the file when that is its copy."""
        self._disk.check_folder(self.path.parent)
        # The copy first: a writer writes it last, so beside a sound file it is never newer.
        head = self._copy_head()
        main = self._read(self.path)
        if isinstance(main, _Loaded) and _goes_with(main, head):
            self._loaded = main
            return main, None
        copy = self._read(self.copy_path)
        if isinstance(main, _Loaded):
            if isinstance(copy, _Damage):  # only its first bytes looked newer
                self._loaded = main
                return main, None
            return copy, _Damage("it is older than its copy" if copy.rev > main.rev else "its copy differs")
        if isinstance(copy, _Damage):
            raise self._lost(main, copy)
        return copy, main

    def _read(self, path: Path) -> _Loaded[T] | _Damage:
        try:
            data = self._disk.read(path, limits.STORE_FILE_BYTES)
        except FileNotFoundError:
            return _Damage("it is missing")
        except StoreDamaged as error:
            return _Damage(error.detail)
        except OSError as error:
            raise self._unreadable(path, error.strerror or str(error)) from error
        fingerprint = digest(data)
        if self._loaded is not None and self._loaded.fingerprint == fingerprint:
            return self._loaded  # the same bytes: no need to read every entry again
        try:
            body, rev = unseal(data)
            return _Loaded(self._decode(body), rev, _sum_of(data), fingerprint)
        except WireError as error:
            return _Damage(error.detail)
        except StoreNewer as error:
            raise StoreNewer(f"{path}: {error.detail}", hint=error.hint) from None

    def _copy_head(self) -> Head | None:
        try:
            return read_head(self._disk.head(self.copy_path, HEAD_BYTES) or b"")
        except OSError as error:
            raise self._unreadable(self.copy_path, error.strerror or str(error)) from error

    def _sound(self) -> _Loaded[T]:
        """The content, after a damaged file was replaced by its copy."""
        loaded, damage = self._load()
        if damage is not None:
            self._recover(loaded, damage)
        return loaded

    def _recover(self, copy: _Loaded[T], damage: _Damage) -> None:
        """Put the copy in the place of the damaged file, in an order that can be broken off anywhere."""
        data = self._disk.read(self.copy_path, limits.STORE_FILE_BYTES)
        now = int(self._now())
        kept_as = name_for(self.path, now, self._disk) if self._disk.exists(self.path) else None
        recovery = Recovery(file=self.path.name, why=damage.why, rev=copy.rev, kept_as=kept_as, at=now)
        write_marker(self.path, recovery, self._disk)
        if kept_as is not None:
            self._disk.keep_as(self.path, self.path.with_name(kept_as))
        self._disk.replace(self.path, data)
        self.recovery = recovery
        self._loaded = copy
        _log.error("%s: %s; its copy (rev %d) is used", self.path, damage.why, copy.rev)

    def _mend_copy(self, loaded: _Loaded[T]) -> None:
        """Write both again unless they are the same: a copy is written once its file is durable.

        Of the copy itself the name may be missing still, after a kill or an fsync that failed.
        """
        copy = self._read(self.copy_path)
        if isinstance(copy, _Loaded) and copy.fingerprint == loaded.fingerprint:
            self._disk.settle(self.copy_path)
            return
        if isinstance(copy, _Damage):
            _log.warning("%s is written anew: %s", self.copy_path, copy.why)
            if self._disk.exists(self.copy_path):
                name = name_for(self.copy_path, int(self._now()), self._disk)
                self._disk.keep_as(self.copy_path, self.copy_path.with_name(name))
        data = self._disk.read(self.path, limits.STORE_FILE_BYTES)
        self._disk.replace(self.path, data)
        self._disk.replace(self.copy_path, data)

    def _lost(self, main: _Damage, copy: _Damage) -> StoreDamaged:
        return StoreDamaged(
            f"{self.path}: {main.why}; its copy {self.copy_path.name}: {copy.why}",
            hint="Nothing was changed. Put a backup of one of the two in its place; none: docs/FILES.md.",
        )

    @staticmethod
    def _unreadable(path: Path, why: str) -> StoreDamaged:
        return StoreDamaged(
            f"{path}: it cannot be read: {why}",
            hint="Nothing was changed. Give it back to this node's user with mode 600; when the disk "
            "cannot read it, move it away: the other of file and copy (.bak) is used then.",
        )


def _sum_of(data: bytes) -> str:
    head = read_head(data[:HEAD_BYTES])
    return "" if head is None else head.sum


def _goes_with(main: _Loaded[T], copy: Head | None) -> bool:
    """Whether a copy that begins like this is not newer; a missing or damaged one says nothing."""
    if copy is None:
        return True
    if copy.newer or copy.rev > main.rev:
        return False
    return copy.rev < main.rev or copy.sum == main.sum
