"""A registry with a million identities against one with a thousand: look-ups, memory, disk, a start's time.

Two processes of `python -m benchmarks.registry_million FOLDER NUMBER`, each with its store, take turns. A
look-up is what `/resolve` and `/check_user` ask of the store: blind index, one point read, one sealed value
opened. Who is looked for is chosen at random among all, so that no cache favours anybody.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from benchmarks.report import Comparison, Reading
from enigma_fed.registry.store import Record, UserId
from enigma_fed.registry.storesqlite import SqliteStore
from enigma_fed.wire.publicidentity import PublicIdentity

FEW: Final = 1_000
MANY: Final = 1_000_000
ROUNDS: Final = 12
_WARM_UP: Final = 2
_LOOK_UPS: Final = 20_000
"""In one turn."""
_CHUNK: Final = 5_000
"""Identities that share a transaction while a store is filled."""
_CREATED_MS: Final = 1_795_000_000_000


def handle(number: int) -> UserId:
    """Of one of many users."""
    return UserId(hashlib.blake2b(number.to_bytes(8, "big"), digest_size=32).digest())


def record(number: int, filler: bytes) -> Record:
    """Its registration: keys of 32 bytes, a signature of 64, a name; `filler` is what is random in it."""
    user = handle(number)
    identity = PublicIdentity(
        user_id=user,
        username_hint=f"user {number}",
        signing_public_key=user.value,
        encryption_public_key=filler[:32],
        signature=filler,
        created_at_ms=_CREATED_MS,
    )
    return Record(user_id=user, identity_bytes=identity.encode(), registered_ms=_CREATED_MS)


class Measured:
    """One process with a store of so many identities."""

    def __init__(self, folder: Path, number: int) -> None:
        self._command = [sys.executable, "-m", "benchmarks.registry_million", str(folder), str(number)]
        self._process: asyncio.subprocess.Process
        self.facts: dict[str, float] = {}
        """`bytes` of the file, `seconds` of a start."""

    async def start(self) -> None:
        """Fill the store, close it and open it again."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        self.facts = {word: await self._figure() for word in ("bytes", "seconds")}

    async def turn(self) -> float:
        """Microseconds of CPU for one look-up, the mean of a turn."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return await self._figure()

    async def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    def pss_mib(self) -> float:
        """Proportional set size of the process."""
        rollup = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text(encoding="ascii")
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        if found is None:
            raise RuntimeError("this kernel reports no PSS")
        return int(found[1]) / 1024

    async def _figure(self) -> float:
        assert self._process.stdout is not None
        return float(await self._process.stdout.readline())


async def run(folder: Path) -> list[Comparison | Reading]:
    """Measure; `folder` takes a gigabyte."""
    async with AsyncExitStack() as stack:
        few, many = Measured(folder / "few", FEW), Measured(folder / "many", MANY)
        samples: dict[Measured, list[float]] = {few: [], many: []}
        for measured in samples:
            stack.push_async_callback(measured.close)
            await measured.start()
        for number in range(_WARM_UP + ROUNDS):
            for measured in samples if number % 2 else reversed(samples):
                microseconds = await measured.turn()
                if number >= _WARM_UP:
                    samples[measured].append(microseconds)
        return [
            Comparison(
                name=f"look-up among {MANY:,} identities",
                ours=tuple(samples[many]),
                floor=tuple(samples[few]),
                floor_name=f"among {FEW:,}",
                unit="µs",
                target=1.2,
            ),
            *_readings(few, f"{FEW:,}"),
            *_readings(many, f"{MANY:,}"),
            _reading(f"registry.db with {MANY:,}", many.facts["bytes"] / MANY, "bytes per identity", "file"),
            _reading(f"its start with {MANY:,}", many.facts["seconds"], "s", "one"),
        ]


def _readings(measured: Measured, number: str) -> list[Reading]:
    return [_reading(f"store with {number} identities, PSS", measured.pss_mib(), "MiB", "after look-ups")]


def _reading(name: str, value: float, unit: str, samples: str) -> Reading:
    return Reading(name=name, value=value, unit=unit, target=None, samples=samples)


async def _fill(folder: Path, number: int) -> None:
    store = SqliteStore(folder)
    store.open()
    chance = random.Random(number)
    for begin in range(0, number, _CHUNK):
        users = range(begin, min(number, begin + _CHUNK))
        await store.merge([record(user, chance.randbytes(64)) for user in users])
    await store.close()


async def _child(folder: Path, number: int) -> None:
    await _fill(folder, number)
    begun = time.perf_counter()
    store = SqliteStore(folder)
    store.open()
    print((folder / "registry.db").stat().st_size, time.perf_counter() - begun, sep="\n", flush=True)
    chance = random.Random(1)
    while await asyncio.to_thread(sys.stdin.readline):
        users = [handle(chance.randrange(number)) for _ in range(_LOOK_UPS)]
        before = time.thread_time()
        found = sum(store.find(user) is not None for user in users)
        print((time.thread_time() - before) / _LOOK_UPS * 1e6, flush=True)
        if found != _LOOK_UPS:
            raise RuntimeError("somebody was not found")
    await store.close()


if __name__ == "__main__":
    asyncio.run(_child(Path(sys.argv[1]), int(sys.argv[2])))
