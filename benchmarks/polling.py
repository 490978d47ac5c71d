"""A round of polls over 10, 100 and 1000 peers: a fake network, a real store on disk, real signatures.

The peers answer from memory with full states, so that what is measured is the federation: lines, slots,
signature checks, the store. Sockets, HTTP and the reading of replies are not in it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

from benchmarks.report import Comparison, Reading
from enigma_fed.base import limits
from enigma_fed.base.clock import SystemClock
from tests.support.town import Town

_SIZES: Final = (10, 100, 1000)
_POLLS: Final = 1000
"""Polls of one sample, however many peers there are."""
_SAMPLES: Final = 11
_WORST_APPS: Final = 230
"""Apps of a state of 18 KB: a thousand of them are about what limits.STATES_BYTES lets in."""
_FAST_INTERVAL: Final = 10
"""Seconds between polls of a peer while the lag is measured: six times as many as by default."""
_LAG_SECONDS: Final = limits.OBSERVATIONS_FLUSH + 10
_PROBE_SECONDS: Final = 0.005


async def run() -> list[Comparison | Reading]:
    """CPU of a poll against that of a poll among ten peers; then the lag of the loop, and bytes written."""
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="fed-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return [*await _cpu(stack, folder), *await _lag(stack, folder)]


async def _cpu(stack: AsyncExitStack, folder: Path) -> list[Comparison]:
    towns: list[Town] = []
    for size in _SIZES:
        town = Town(folder / str(size), size)
        await town.open()
        stack.push_async_callback(town.close)
        _without_housekeeping(town)
        await _round(town)
        towns.append(town)
    samples: dict[int, list[float]] = {size: [] for size in _SIZES}
    for _ in range(_SAMPLES):
        for town in towns:
            size = len(town.peers)
            spent = 0.0
            for _ in range(_POLLS // size):
                town.change()
                spent += await _round(town)
            samples[size].append(spent / _POLLS * 1e6)
    return [
        Comparison(
            name=f"a poll among {size} peers, CPU",
            ours=tuple(samples[size]),
            floor=tuple(samples[_SIZES[0]]),
            floor_name=f"among {_SIZES[0]}",
            unit="µs",
            target=1.2,
        )
        for size in _SIZES[1:]
    ]


async def _round(town: Town) -> float:
    """Poll every peer once; seconds of CPU that it took."""
    wanted = town.answers + len(town.peers)
    begun = time.process_time()
    town.hands.advance(2 * limits.POLL_INTERVAL)
    while town.answers < wanted:  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    return time.process_time() - begun


def _without_housekeeping(town: Town) -> None:
    """Its half-minute work costs the same for any number of peers, and would hide the polls of a few."""
    task = town.federation._housekeeping
    assert task is not None
    task.cancel()


async def _lag(stack: AsyncExitStack, folder: Path) -> list[Reading]:
    peers = _SIZES[-1]
    town = Town(folder / "worst", peers, apps=_WORST_APPS, clock=SystemClock(), interval=_FAST_INTERVAL)
    for peer in town.peers.values():
        peer.prepare(3 + _LAG_SECONDS // _FAST_INTERVAL)
    await town.open()
    stack.push_async_callback(town.close)
    await town.federation.sync(None)  # from now on all are due in the same second or two
    lags = sorted(await _probe(_LAG_SECONDS))
    written, flushes = town.disk.written.get("state.json", 0), town.store.counts["state-writes"]
    samples = f"{town.answers} polls in {_LAG_SECONDS} s, 18 KB each, {flushes} flush"
    return [
        Reading(
            name=f"lag of the loop, p99, {peers} peers",
            value=lags[int(len(lags) * 0.99)] * 1000,
            unit="ms",
            target=20,
            samples=samples,
        ),
        Reading(name="the same, longest", value=lags[-1] * 1000, unit="ms", target=None, samples=samples),
        Reading(
            name=f"state.json, bytes a flush and peer, {peers} peers",
            value=written / max(1, flushes) / peers / 1000,
            unit="KB",
            target=None,
            samples=samples,
        ),
        Reading(
            name="nodes.json, bytes written by polls",
            value=float(town.disk.written.get("nodes.json", 0) - town.written_at_start),
            unit="B",
            target=0,
            samples=samples,
        ),
    ]


async def _probe(seconds: float) -> list[float]:
    """By how much the loop was late, every few milliseconds."""
    lags: list[float] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                due = time.perf_counter() + _PROBE_SECONDS
                await asyncio.sleep(_PROBE_SECONDS)
                lags.append(time.perf_counter() - due)
    return lags
