"""What remains to be said when a damaged file was replaced by its copy: the marker beside it.

As long as `<file>.recovered` exists, the node is in degraded mode (docs/FILES.md). It is written,
durably, before the damaged file is touched, and goes when the owner accepts what was recovered.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import StoreDamaged, StoreError, WireError
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.seal import seal, unseal

_UNREADABLE: Final = "its marker cannot be read"


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is not the one that was written last: its copy is used."""

    file: str
    """Name of the file."""
    why: str
    """What is wrong with the damaged one."""
    rev: int
    """The copy's `rev`."""
    kept_as: str | None = None
    """Name under which the damaged file was set aside; None for a missing one, or not yet done."""
    at: int | None = None
    """When it was replaced by its copy (Unix time); None while it was not: a reader moves nothing."""


def marker_path(path: Path) -> Path:
    """Where the marker of a file stands."""
    return path.with_name(f"{path.name}.recovered")


def read_marker(path: Path, disk: Disk) -> Recovery | None:
    """The recovery of the file that waits for the owner; None when there is none.

    A marker that cannot be read counts all the same. Raises LooseModes.
    """
    try:
        body, rev = unseal(disk.read(marker_path(path), limits.RECOVERY_MARKER_BYTES))
        return _decode(path, body, rev)
    except FileNotFoundError:
        return None
    except (WireError, StoreError, OSError):
        return Recovery(file=path.name, why=_UNREADABLE, rev=0, at=0)


def write_marker(path: Path, recovery: Recovery, disk: Disk) -> None:
    """Write the marker, durable on return; raises WriteFailed."""
    body = {"why": recovery.why, "kept_as": recovery.kept_as, "at": recovery.at}
    disk.replace(marker_path(path), seal(body, max(recovery.rev, 1)))


def name_for(path: Path, now: int, disk: Disk) -> str:
    """A free name for a damaged file, or the one under which the same bytes stand already.

    Raises StoreDamaged when limits.FILES_SET_ASIDE stand there: something damages them again and again.
    """
    prefix = f"{path.name}.damaged-"
    taken = [name for name in disk.names(path.parent) if name.startswith(prefix)]
    damaged = disk.head(path, limits.STORE_FILE_BYTES)
    for name in taken:
        if disk.head(path.with_name(name), limits.STORE_FILE_BYTES) == damaged:
            return name
    if len(taken) >= limits.FILES_SET_ASIDE:
        raise StoreDamaged(
            f"{path} was damaged {len(taken)} times",
            hint=f"Look for a failing disk; then move the files {prefix}… away.",
        )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    return next(name for name in _names(f"{prefix}{stamp}") if name not in taken)


def _names(first: str) -> list[str]:
    return [first, *(f"{first}-{number}" for number in range(2, limits.FILES_SET_ASIDE + 2))]


def _decode(path: Path, body: Mapping[str, object], rev: int) -> Recovery:
    why, kept_as, at = (body.get(name) for name in ("why", "kept_as", "at"))
    if not isinstance(why, str) or not isinstance(kept_as, str | None) or not isinstance(at, int):
        raise WireError(_UNREADABLE)
    return Recovery(file=path.name, why=why, rev=rev, kept_as=kept_as, at=at)
