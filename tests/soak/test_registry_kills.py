"""A registry under load, killed a thousand times, and cut off from power after every write: nothing is lost.

REGISTRY_KILLS, REGISTRY_LOAD and REGISTRY_FLIPS say how many kills, how many registrations the power is cut
in, and how many databases are garbled.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import shutil
import time
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Final

import pytest

from enigma_fed.registry.storesqlite import SqliteStore
from tests.registry.test_power_cuts import recorded, replayed
from tests.registry.test_storesqlite_garbled import garbled
from tests.support import registryload

KILLS: Final = int(os.environ.get("REGISTRY_KILLS", "1000"))
LOAD: Final = int(os.environ.get("REGISTRY_LOAD", "260"))
FLIPS: Final = int(os.environ.get("REGISTRY_FLIPS", "2000"))
PATIENCE: Final = 60.0
_LONGEST: Final = 0.06
"""Seconds of work before a kill."""
_WORKING: Final = 0.8
"""Share of the kills that wait for a process to work; the others hit its start."""
_ANEW: Final = 20
"""Kills after which a folder is begun anew: some of them fall into a first start."""
_ENDLESS: Final = 10**9


def _work(folder: str, begin: int, said: int) -> None:
    os.dup2(said, 1)
    registryload.say("begun", 0)
    asyncio.run(registryload.work(Path(folder), begin, _ENDLESS))


def killed(folder: Path, begin: int, wait: float, *, working: bool) -> set[tuple[str, int]]:
    """Let a process register from number `begin` on, kill it `wait` seconds later: what it acknowledged.

    `working`: that is after its first acknowledgement; else after it was begun, perhaps in its start.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    heard, said = os.pipe()
    heard_pipe, said_pipe = Pipe(heard, writable=False), Pipe(said, readable=False)
    process = context.Process(target=_of_pipe, args=(str(folder), begin, said_pipe))
    process.start()
    said_pipe.close()
    with heard_pipe, open(heard_pipe.fileno(), "rb", closefd=False) as lines:
        assert lines.readline() == b"begun 0\n"
        first = lines.readline() if working else b""
        time.sleep(wait)
        process.kill()
        process.join(PATIENCE)
        process.close()
        words = [line.decode().split() for line in (first, *lines) if line.endswith(b"\n")]
    return {(word, int(number)) for word, number in words}


def _of_pipe(folder: str, begin: int, said: Pipe) -> None:
    _work(folder, begin, said.fileno())


async def _looked_at(folder: Path, told: set[tuple[str, int]]) -> tuple[list[str], int]:
    """What is lost, and the number from which on nobody is registered."""
    store = SqliteStore(folder)
    store.open()
    lost, number = registryload.check(store, told), store.count
    await store.close()
    return lost, number


@pytest.mark.timeout(3600)
def test_invariant_5_a_thousand_kills_lose_no_acknowledged_registration(tmp_path: Path) -> None:
    chance, begun, total, starts = random.Random(KILLS), time.monotonic(), 0, 0
    folder, told, number = tmp_path / "registry", set[tuple[str, int]](), 0
    for kill in range(KILLS):
        if kill % _ANEW == 0:
            shutil.rmtree(folder, ignore_errors=True)
            told.clear()
            number = 0
        new = killed(folder, number, chance.random() * _LONGEST, working=chance.random() < _WORKING)
        told |= new
        total += len(new)
        starts += not new
        lost, count = asyncio.run(_looked_at(folder, told))
        assert not lost, f"kill {kill}"
        registered = [each for word, each in told if word == "register"]
        untold = (kill % _ANEW + 1) * registryload.AT_ONCE
        assert len(registered) <= count <= len(registered) + untold
        # Whoever was registered and not told is in the way of the next: numbers go on behind them.
        number = max([number, *registered]) + registryload.AT_ONCE
    print(
        f"kill -9 of a registry: {KILLS} kills, {total} acknowledged changes, 0 lost, {starts} before the "
        f"first of them, {time.monotonic() - begun:.0f} s"
    )


@pytest.mark.timeout(3600)
async def test_invariant_5_power_cuts_after_every_write_lose_no_acknowledged_registration(
    tmp_path: Path,
) -> None:
    begun, events = time.monotonic(), recorded(tmp_path, LOAD)
    counts = await replayed(events, tmp_path, random.Random(LOAD), lambda _: True)
    assert counts.lost == ()
    assert counts.points >= 4 * LOAD
    print(
        f"power cuts of a registry: {LOAD} registrations, {counts.points} points, {counts.states} states, "
        f"0 acknowledged changes lost, {time.monotonic() - begun:.0f} s"
    )


@pytest.mark.timeout(3600)
async def test_invariant_5_whatever_is_garbled_no_answer_is_another(tmp_path: Path) -> None:
    refused = await garbled(tmp_path, FLIPS)
    print(f"garbled registry.db: {FLIPS} files, {refused} refused at the start, 0 wrong answers")


@pytest.mark.timeout(3600)
async def test_without_the_fsync_of_each_commit_power_cuts_lose_some(tmp_path: Path) -> None:
    """That the test above can fail."""
    events = recorded(tmp_path, 24, "careless")
    counts = await replayed(events, tmp_path, random.Random(1), lambda number: number % 3 == 0)
    assert counts.lost
