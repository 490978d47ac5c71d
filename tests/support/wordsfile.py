"""A small JSON file of words, for the tests of storage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from enigma_fed.base.errors import WireError
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.jsonfile import JsonFile


def encode(value: tuple[str, ...]) -> Mapping[str, object]:
    """The members."""
    return {"words": list(value)}


def decode(members: Mapping[str, object]) -> tuple[str, ...]:
    """The words; raises WireError."""
    words = members.get("words")
    if not isinstance(words, list):
        raise WireError("words: missing")
    return tuple(words)


def words_file(folder: Path, disk: Disk | None = None, lock_wait: float = 60.0) -> JsonFile[tuple[str, ...]]:
    """`words.json` in this folder."""
    return JsonFile(folder / "words.json", encode, decode, disk=disk, lock_wait=lock_wait)
