"""The marker of a recovery, and the names of damaged files."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.storage.recovery import Recovery, marker_path, name_for, read_marker, write_marker
from tests.support.memorydisk import Image, MemoryDisk

PATH = Path("/nodes.json")


@pytest.mark.parametrize("kept_as", [None, "nodes.json.damaged-x"])
@pytest.mark.parametrize("rev", [1, 7])
def test_a_marker_is_read_as_it_was_written(kept_as: str | None, rev: int) -> None:
    disk = MemoryDisk()
    recovery = Recovery(file="nodes.json", why="it is missing", rev=rev, kept_as=kept_as, at=1_800_000_000)
    assert read_marker(PATH, disk) is None
    write_marker(PATH, recovery, disk)
    assert read_marker(PATH, disk) == recovery


def test_the_copy_of_a_file_without_rev_has_a_marker_too() -> None:
    disk = MemoryDisk()
    write_marker(PATH, Recovery(file="nodes.json", why="x", rev=0, at=5), disk)
    marker = read_marker(PATH, disk)
    assert marker is not None
    assert (marker.why, marker.at) == ("x", 5)


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b'{"why": 1, "at": 2}', b'{"version": 2}'])
def test_invariant_5_a_marker_that_cannot_be_read_counts_all_the_same(data: bytes) -> None:
    disk = MemoryDisk(Image(files={str(marker_path(PATH)): data}))
    marker = read_marker(PATH, disk)
    assert marker is not None
    assert marker.why == "its marker cannot be read"


def test_invariant_5_a_marker_that_is_too_large() -> None:
    disk = MemoryDisk()
    write_marker(PATH, Recovery(file="nodes.json", why="x", rev=1, at=5), disk)
    size = limits.RECOVERY_MARKER_BYTES
    data = disk.read(marker_path(PATH), size)
    disk.put(marker_path(PATH), data + b" " * (size + 1 - len(data)))
    marker = read_marker(PATH, disk)
    assert marker is not None
    assert marker.why == "its marker cannot be read"


def test_names_tell_the_time_and_are_free() -> None:
    first = "nodes.json.damaged-20270115T080000Z"
    disk = MemoryDisk(Image(files={"/nodes.json": b"now"}))
    assert name_for(PATH, 1_800_000_000, disk) == first
    disk.put(Path(f"/{first}"), b"before")
    disk.put(Path(f"/{first}-2"), b"between")
    assert name_for(PATH, 1_800_000_000, disk) == f"{first}-3"
    disk.put(Path(f"/{first}-2"), b"now")
    assert name_for(PATH, 1_800_000_000, disk) == f"{first}-2"
