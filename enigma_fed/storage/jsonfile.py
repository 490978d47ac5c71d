"""A JSON file that is never half written, never lost silently and never read as empty (invariant 5).

`{"version": 1, "rev": N, "sum": "…", …}`: `sum` is the BLAKE2b-256 of the file's bytes with its
own 64 digits as zeros. Beside it stand `.bak`, a second full copy, and `.lock`, the file lock of
its read-modify-write. A change is acknowledged when both copies are durable.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import filelock
import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import Conflict, LockBusy, StoreDamaged, StoreNewer, WireError, WriteFailed
from enigma_fed.storage import modes
from enigma_fed.storage.disk import Disk
from enigma_fed.wire import strictjson

T = TypeVar("T")

VERSION: Final = 1
_ZEROS: Final = "0" * 64
_DIGITS: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEAD: Final = re.compile(rb'\{\s*"version":\s*\d+,\s*"rev":\s*(\d+),', re.ASCII)
_HEAD_BYTES: Final = 128
_READS: Final = 3
"""A reader without the lock may see an old file beside a copy that was just written."""


@dataclass(frozen=True, slots=True)
class _Loaded(Generic[T]):
    """A value with what its file was when it was read or written."""

    value: T
    rev: int
    fingerprint: str
    """Hash of the whole file, the sum's digits included."""


class JsonFile(Generic[T]):
    """One JSON file of frozen values; every method blocks: call it off the event loop.

    `encode` gives the members of the object, `decode` reads them back and raises WireError.
    """

    def __init__(
        self,
        path: Path,
        encode: Callable[[T], Mapping[str, object]],
        decode: Callable[[Mapping[str, object]], T],
        *,
        disk: Disk | None = None,
        lock_wait: float = limits.LOCK_WAIT,
    ) -> None:
        self.path = path
        self.copy_path = path.with_name(path.name + ".bak")
        self._encode = encode
        self._decode = decode
        self._disk = disk or Disk()
        self._lock_wait = lock_wait
        self._loaded: _Loaded[T] | None = None

    def exists(self) -> bool:
        """Whether the file or its copy is there."""
        return self.path.exists() or self.copy_path.exists()

    def create(self, value: T) -> None:
        """Write the first version; raises Conflict when the file or its copy is there, WriteFailed."""
        modes.make_folder(self.path.parent)
        with self._locked():
            if self.exists():
                raise Conflict(f"{self.path} exists")
            self._write(value, 1)

    def read(self) -> T:
        """The value; raises StoreDamaged, StoreNewer, LooseModes and leaves the file as it is."""
        return self._load().value

    def update(self, change: Callable[[T], T]) -> T:
        """Replace the value by `change(value)` under the file's lock; durable on return.

        Nothing is written when `change` returns the very value it got or raises.
        Raises what `read` raises, LockBusy, WriteFailed.
        """
        with self._locked():
            loaded = self._load()
            value = change(loaded.value)
            if value is not loaded.value:
                self._write(value, loaded.rev + 1)
            return value

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = filelock.FileLock(
            self.path.with_name(self.path.name + ".lock"), timeout=self._lock_wait, mode=modes.FILE_MODE
        )
        try:
            lock.acquire()
        except filelock.Timeout:
            raise LockBusy(f"{self.path} is locked") from None
        except OSError as error:
            raise WriteFailed(f"{self.path}: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.release()

    def _write(self, value: T, rev: int) -> None:
        data = seal(self._encode(value), rev)
        self._loaded = None  # until both copies stand, what is on disk is not known
        self._disk.replace(self.path, data)
        self._disk.replace(self.copy_path, data)
        self._loaded = _Loaded(value, rev, _digest(data))

    def _load(self) -> _Loaded[T]:
        modes.check_folder(self.path.parent)
        for _ in range(_READS):
            loaded = self._read()
            if loaded.rev >= self._copy_rev():
                self._loaded = loaded
                return loaded
        raise self._damaged("it is older than its copy")

    def _read(self) -> _Loaded[T]:
        data = self._bytes()
        fingerprint = _digest(data)
        if self._loaded is not None and self._loaded.fingerprint == fingerprint:
            return self._loaded  # the same bytes: no need to read every entry again
        try:
            body, rev = unseal(data)
            return _Loaded(self._decode(body), rev, fingerprint)
        except WireError as error:
            raise self._damaged(error.detail) from None
        except StoreNewer as error:
            raise StoreNewer(f"{self.path}: {error.detail}", hint=error.hint) from None

    def _bytes(self) -> bytes:
        try:
            return self._disk.read(self.path, limits.STORE_FILE_BYTES)
        except FileNotFoundError:
            raise self._damaged("it is missing") from None
        except OSError as error:
            raise self._damaged(f"it cannot be read: {error.strerror or error}") from error

    def _copy_rev(self) -> int:
        match = _HEAD.match(self._disk.head(self.copy_path, _HEAD_BYTES) or b"")
        return int(match.group(1)[:17]) if match else 0

    def _damaged(self, why: str) -> StoreDamaged:
        return StoreDamaged(
            f"{self.path}: {why}",
            hint=f"Nothing was changed. A second copy is {self.copy_path}; run: enigma-fed doctor",
        )


def seal(body: Mapping[str, object], rev: int) -> bytes:
    """The file's bytes, their sum in them."""
    head = {"version": VERSION, "rev": rev, "sum": _ZEROS}
    data = msgspec.json.format(msgspec.json.encode({**head, **body}), indent=1) + b"\n"
    return data.replace(_ZEROS.encode(), _digest(data).encode(), 1)


def unseal(data: bytes) -> tuple[Mapping[str, object], int]:
    """Members and rev of a file's bytes; one without version has rev 0.

    Raises WireError for damage and StoreNewer for a version that is not ours.
    """
    # An integer of another agent beyond ours damages the entry that it stands in, not the file.
    body = strictjson.decode(data, limit=limits.STORE_FILE_BYTES, large_integers=True)
    if not isinstance(body, dict):
        raise WireError("it is not a JSON object")
    if not body.keys() & {"version", "rev", "sum"}:
        return body, 0
    version, rev, digest = (body.pop(name, None) for name in ("version", "rev", "sum"))
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise WireError("its version is not a number from 1")
    if version > VERSION:
        raise StoreNewer(f"it has version {version}", hint="Use the newer enigma-fed that wrote it.")
    if not isinstance(rev, int) or isinstance(rev, bool) or rev < 1:
        raise WireError("its rev is not a number from 1")
    if not isinstance(digest, str) or _DIGITS.fullmatch(digest) is None:
        raise WireError("its sum is not 64 digits")
    if _digest(data.replace(digest.encode(), _ZEROS.encode(), 1)) != digest:
        raise WireError("its content does not match its sum")
    return body, rev


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()
