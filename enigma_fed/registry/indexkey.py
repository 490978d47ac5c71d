"""`index.key` and the database that cannot be read without it: made together, never taken for each other's.

A first start writes the key as `index.key.new`, then the database with a mark of that key in it, and then
gives the key its name. So whatever an interrupted first start leaves is told from a folder in which a file
was lost: the former is finished, the latter refused (invariant 5).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Final

from enigma_fed.base.errors import StoreDamaged, WriteFailed
from enigma_fed.registry.atrest import KEY_BYTES, subkey
from enigma_fed.storage import secretfile
from enigma_fed.storage.disk import Disk

NAME: Final = "index.key"
_NEW: Final = f"{NAME}.new"
_KEEP: Final = "Put the backup of the whole folder in its place: neither file is of use without the other."
_EMPTY: Final = "To begin with an empty registry, move what is left in the folder away."


def mark(key: bytes) -> bytes:
    """What the database of this key has in it: 32 bytes that tell nothing of the key."""
    return subkey(key, b"efed-reg-mark")


def check_mark(folder: Path, key: bytes, found: object) -> None:
    """Raise StoreDamaged unless the mark in the folder's database is this key's."""
    if not isinstance(found, bytes) or not hmac.compare_digest(found, mark(key)):
        raise StoreDamaged(f"{folder / NAME} is not the key of the database beside it", hint=_KEEP)


def ready(
    folder: Path, database: str, make: Callable[[bytes], None], *, disk: Disk, random: Callable[[int], bytes]
) -> bytes:
    """The key, after what a first start does was done or finished; the caller holds the folder's lock.

    `make` writes the empty database (`database` is its name) with the mark of a key. Raises StoreDamaged when
    one of the two is missing, LooseModes, WriteFailed, what `make` raises.
    """
    has_key, has_new = disk.exists(folder / NAME), disk.exists(folder / _NEW)
    has_database = disk.exists(folder / database)
    if has_key and has_database:
        return _read(folder / NAME, disk)
    if has_key:
        raise StoreDamaged(f"{folder / database} is missing", hint=f"{_KEEP} {_EMPTY}")
    if has_database and not has_new:
        raise StoreDamaged(f"{folder / NAME} is missing", hint=f"{_KEEP} {_EMPTY}")
    if not has_new:
        secretfile.write_new(folder / _NEW, random(KEY_BYTES), disk=disk)
    key = _read(folder / _NEW, disk)
    if not has_database:
        disk.settle(folder / _NEW)
        make(mark(key))
    _name(folder, disk)
    return key


def _name(folder: Path, disk: Disk) -> None:
    """Give the key its name, after the database's is durable: an earlier start may have ended before that."""
    try:
        disk.sync_folder(folder)
        disk.rename(folder / _NEW, folder / NAME)
        disk.sync_folder(folder)
    except OSError as error:
        raise WriteFailed(f"{folder / NAME}: {error.strerror or error}") from error


def _read(path: Path, disk: Disk) -> bytes:
    key = secretfile.read(path, disk=disk)
    if len(key) != KEY_BYTES:
        raise StoreDamaged(f"{path} has {len(key)} bytes, not {KEY_BYTES}", hint=_KEEP)
    return key
