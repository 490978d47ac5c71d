"""The key and its database: begun together whatever interrupts it, refused when one of them is lost."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from enigma_fed.base.errors import StoreDamaged, WriteFailed
from enigma_fed.registry import indexkey
from tests.support.crashes import PowerCuts
from tests.support.memorydisk import Image, Killed, MemoryDisk

FOLDER: Final = Path("/registry")
DATABASE: Final = "registry.db"
KEY: Final = bytes(range(32))


def started(disk: MemoryDisk, random_bytes: Callable[[int], bytes] = lambda size: KEY[:size]) -> bytes:
    """A start: the key, after what a first start does; the database holds its mark and nothing else."""

    def make(mark: bytes) -> None:
        disk.create(FOLDER / DATABASE, mark)

    return indexkey.ready(FOLDER, DATABASE, make, disk=disk, random=random_bytes)


def database(disk: MemoryDisk) -> bytes:
    return disk.image.files[str(FOLDER / DATABASE)]


def test_the_first_start_makes_both_and_every_other_finds_them() -> None:
    disk = MemoryDisk()
    assert started(disk) == KEY
    assert disk.names(FOLDER) == ["index.key", DATABASE]
    steps = len(disk.steps)
    assert started(disk, lambda _: pytest.fail("a key is made once")) == KEY
    assert len(disk.steps) == steps, "nothing is written"
    indexkey.check_mark(FOLDER, KEY, database(disk))


def test_invariant_5_a_first_start_that_a_power_cut_ends_is_finished_by_the_next() -> None:
    """Whatever the disk was left with, the next start finds a pair; after the end it is this one."""
    disk = MemoryDisk()
    started(disk)
    cuts, points = PowerCuts(Image(), {}, random.Random(1)), 0
    for number, step in enumerate(disk.steps, 1):
        cuts.follow(step)
        for image in cuts.states():
            later = MemoryDisk(image)
            key = started(later, bytes)
            indexkey.check_mark(FOLDER, key, database(later))
            assert number < len(disk.steps) or key == KEY, "what was told is there"
            points += 1
    assert points > 40


def test_invariant_5_a_first_start_that_is_killed_or_fails_is_finished_by_the_next() -> None:
    for refused in itertools.count():
        disk = MemoryDisk()
        disk.refuse_at, disk.fault = refused, Killed() if refused % 2 else OSError(5, "Input/output error")
        try:
            started(disk)
        except (Killed, WriteFailed):
            disk.refuse_at = None
        else:
            break
        indexkey.check_mark(FOLDER, started(disk), database(disk))
    assert refused > 10


@pytest.mark.parametrize("lost", ["index.key", DATABASE])
def test_invariant_5_what_is_left_when_one_of_them_is_lost_is_refused_and_not_touched(lost: str) -> None:
    disk = MemoryDisk()
    started(disk)
    disk.put(FOLDER / lost, None)
    before, steps = disk.image.files, len(disk.steps)
    with pytest.raises(StoreDamaged, match=f"{lost} is missing") as refused:
        started(disk)
    assert "backup" in refused.value.hint
    assert (disk.image.files, len(disk.steps)) == (before, steps)


@pytest.mark.parametrize("content", [b"", KEY[:31], KEY + b"\n"])
def test_invariant_5_a_key_of_another_size_is_damaged(content: bytes) -> None:
    disk = MemoryDisk()
    started(disk)
    disk.put(FOLDER / "index.key", content)
    with pytest.raises(StoreDamaged, match="not 32"):
        started(disk)


@pytest.mark.parametrize("found", [None, "text", b"", bytes(32), indexkey.mark(bytes(32))])
def test_invariant_5_a_database_of_another_key_is_refused(found: object) -> None:
    with pytest.raises(StoreDamaged, match="not the key"):
        indexkey.check_mark(FOLDER, KEY, found)
    indexkey.check_mark(FOLDER, KEY, indexkey.mark(KEY))


def test_invariant_8_the_mark_tells_nothing_of_the_key() -> None:
    assert KEY not in indexkey.mark(KEY)
    assert indexkey.mark(KEY) != KEY
