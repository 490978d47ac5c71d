"""kill -9 of real processes in the middle of their writes: what they acknowledged is there (invariant 5).

STORE_KILLS says how many. A kill proves nothing about fsync: that does test_replayed_crashes.py.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import pytest

from enigma_fed.federation import rules
from enigma_fed.federation.decision import Decision, put_node
from enigma_fed.federation.store import FederationStore
from tests.support.identities import did
from tests.support.members import member

KILLS: Final = int(os.environ.get("STORE_KILLS", "500"))
_PATIENCE: Final = 60.0
_LONGEST: Final = 0.06
"""Seconds of work before the kill."""


async def _work(folder: Path, begin: int, said: Connection) -> None:
    store = FederationStore(folder)
    store.open()
    number = begin
    while True:
        number += 1
        await store.transact(lambda m, name=f"n{number}": rules.rename(m, did(1), name))  # type: ignore[misc]
        said.send(number)


def _writer(folder: str, begin: int, said: Connection) -> None:
    asyncio.run(_work(Path(folder), begin, said))


async def _home(folder: Path) -> Path:
    FederationStore.create(folder)
    store = FederationStore(folder)
    store.open()
    await store.transact(lambda m: Decision(put_node(m, member(1, alias="n0")), None))
    return folder


def _found(folder: Path) -> int:
    """The number of the newest change that the next start finds; every other start is a reader's."""
    store = FederationStore(folder)
    store.open()
    assert store.recoveries == ()
    assert store.trouble is None
    node = store.node(did(1))
    assert node is not None
    assert node.alias is not None
    return int(node.alias[1:])


@pytest.mark.timeout(3600)
def test_invariant_5_killed_writers_lose_nothing_that_they_acknowledged(tmp_path: Path) -> None:
    folder = asyncio.run(_home(tmp_path / "home"))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    chance, begun, known, unfinished = random.Random(KILLS), time.monotonic(), 0, 0
    for number in range(KILLS):
        heard, said = context.Pipe(duplex=False)
        process = context.Process(target=_writer, args=(str(folder), known, said))
        process.start()
        said.close()
        assert heard.poll(_PATIENCE), "the writer does not begin"
        time.sleep(chance.random() * _LONGEST)
        process.kill()
        process.join(_PATIENCE)
        acknowledged = _last(heard)
        known = _found(folder)
        assert acknowledged <= known <= acknowledged + 1, f"kill {number}"
        unfinished += known > acknowledged
    print(
        f"kill -9: {KILLS} kills, {known} changes, 0 acknowledged ones lost, {unfinished} found that were "
        f"not told yet, {time.monotonic() - begun:.0f} s"
    )


def _last(heard: Connection) -> int:
    """The last number that came whole through the pipe."""
    number = 0
    while heard.poll():
        try:
            number = heard.recv()
        except EOFError:
            break
    return number
