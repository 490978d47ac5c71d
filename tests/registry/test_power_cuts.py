"""Power cuts under load: what was acknowledged is there. tests/soak/test_registry_kills.py does it often."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from enigma_fed.registry.storesqlite import SqliteStore
from tests.support import registryload
from tests.support.recordedwrites import Event, RecordedDisk, record

REGISTRATIONS: Final = 24
SAMPLE: Final = 16
"""Points of a recording at which the power is cut in `make test`, beside the first start."""


@dataclass(slots=True)
class Replayed:
    """What replaying a recording came to."""

    points: int = 0
    states: int = 0
    begun: int = 0
    """States in which nothing had been acknowledged: a first start goes on from them."""
    lost: tuple[str, ...] = ()


def recorded(tmp_path: Path, registrations: int, *words: str) -> list[Event]:
    """What registering so many did to the disk, from the first start to the end."""
    folder = tmp_path / "recorded"
    folder.mkdir(mode=0o700)
    program = [sys.executable, "-m", "tests.support.registryload", str(folder), str(registrations), *words]
    events = record(program, folder, tmp_path / "trace")
    assert sum(event.call == "say" for event in events) >= registrations
    return events


async def replayed(
    events: list[Event], tmp_path: Path, chance: random.Random, chosen: Callable[[int], bool]
) -> Replayed:
    """Cut the power after each chosen event, in several ways, and start again."""
    disk, told = RecordedDisk(tmp_path / "recorded", chance), set[tuple[str, int]]()
    counts = Replayed()
    for number, event in enumerate(events):
        if event.call == "say":
            word, _, user = event.data.decode().partition(" ")
            told.add((word, int(user)))
            continue
        disk.follow(event)
        if not chosen(number):
            continue
        counts.points += 1
        for files in disk.states():
            counts.states += 1
            counts.begun += not told
            lost = await _after(files, tmp_path / "found", told)
            counts.lost += tuple(f"event {number} of {len(events)}: {each}" for each in lost)
    return counts


async def _after(files: dict[str, bytes], folder: Path, told: set[tuple[str, int]]) -> list[str]:
    """Start on these files: what of the acknowledged is not there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        if name != "lock" and not name.endswith("-shm"):  # the one is empty, the other made anew
            (folder / name).write_bytes(data)
            (folder / name).chmod(0o600)
    store = SqliteStore(folder)
    store.open()
    try:
        return registryload.check(store, told)
    finally:
        await store.close()


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    path = tmp_path_factory.mktemp("load")
    return path, recorded(path, REGISTRATIONS)


async def test_invariant_5_no_power_cut_loses_an_acknowledged_registration(
    load: tuple[Path, list[Event]],
) -> None:
    path, events = load
    chance = random.Random(5)
    start = next(number for number, event in enumerate(events) if event.call == "say")
    points = {*range(0, start, 6), *chance.sample(range(start, len(events)), SAMPLE)}
    counts = await replayed(events, path, chance, points.__contains__)
    assert counts.lost == ()
    assert counts.points > SAMPLE / 2
    assert 0 < counts.begun < counts.states
