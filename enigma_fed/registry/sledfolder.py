"""Whether a folder holds the database of a registry that used sled, which is not read here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from enigma_fed.base.registry_errors import ForeignStore

DATABASE: Final = "registry.db"
_HINT: Final = (
    "Name another storage.path, or move these files away: clients then register again, at their next start."
)


def refuse(folder: str, names: Iterable[str]) -> None:
    """Raise ForeignStore when the names in a folder are sled's, and no registry.db is among them."""
    names = frozenset(names)
    if DATABASE in names:
        return
    if {"conf", "db"} <= names or "blobs" in names or any(name.startswith("snap.") for name in names):
        raise ForeignStore(f"{folder} holds files of sled", hint=_HINT)
