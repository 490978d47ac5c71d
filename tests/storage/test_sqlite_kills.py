"""Processes killed while they write to a database; tests/soak/test_databases.py does it often."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from contextlib import closing
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Final

from enigma_fed.storage import sqlitefile
from enigma_fed.storage.sqlite import Database
from tests.support.sqlitefiles import FIRST, add, made, words

KILLS: Final = 3
PATIENCE: Final = 60.0


async def _work(path: Path, begin: int, said: Pipe) -> None:
    database = Database(path, FIRST)
    database.open()
    number = begin
    while True:
        ours = range(number + 1, number + 4)
        await asyncio.gather(*(database.write(lambda c, n=n: add(c, f"{n:08}")) for n in ours))
        number = ours[-1]
        said.send(number)


def _writer(path: str, begin: int, said: Pipe) -> None:
    asyncio.run(_work(Path(path), begin, said))


def killed(path: Path, begin: int, wait: float) -> int:
    """Let a process write numbers and kill it after `wait` seconds; the last one that it acknowledged."""
    context = multiprocessing.get_context("spawn")
    heard, said = context.Pipe(duplex=False)
    process = context.Process(target=_writer, args=(str(path), begin, said))
    process.start()
    said.close()
    assert heard.poll(PATIENCE), "the writer does not begin"
    time.sleep(wait)
    process.kill()
    process.join(PATIENCE)
    process.close()
    number = begin
    with closing(heard):
        while heard.poll():
            try:
                number = heard.recv()
            except (EOFError, OSError):
                break
    return number


def test_invariant_5_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir(mode=0o700)
    path = made(folder)
    known = 0
    for _ in range(KILLS):
        acknowledged = killed(path, known, 0.03)
        sqlitefile.check(path, FIRST)
        found = words(path)
        known = len(found)
        assert found == [f"{number:08}" for number in range(1, known + 1)]
        assert known in (acknowledged, acknowledged + 3), "the last group is there whole, or not at all"
