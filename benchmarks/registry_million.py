"""A registry with a million identities against one with a thousand: look-ups, memory, disk, a start's time.

Two processes of `enigma-fed registry serve` over folders that were filled before, by
`python -m benchmarks.registry_million FOLDER NUMBER`, take turns. Who is looked for is chosen at random, so
that no cache favours anybody. Beside the servers' CPU stands that of the store alone, in this process.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from benchmarks.registry import Server, get, post, registry_server
from benchmarks.report import Comparison, Reading
from enigma_fed.daemon.registryparts import own_key
from enigma_fed.registry.settings import StorageSettings
from enigma_fed.registry.store import Record, UserId
from enigma_fed.registry.storesqlite import SqliteStore
from enigma_fed.wire import envelope as envelopes
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registrybodies import ResolveRequest

FEW: Final = 1_000
MANY: Final = 1_000_000
ROUNDS: Final = 12
_WARM_UP: Final = 2
_LOOK_UPS: Final = 10_000
"""Of the store alone, in one turn."""
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


def _check_user(user: UserId) -> bytes:
    return get(f"/check_user/{user.hex}")


def _resolve(user: UserId) -> bytes:
    return post("/resolve", ResolveRequest(user, envelopes.public_key(os.urandom(32))).encode())


async def run(folder: Path) -> list[Comparison | Reading]:
    """Measure; `folder` takes a gigabyte."""
    rows: list[Comparison | Reading] = []
    chance = random.Random(1)
    numbers = {"few": FEW, "many": MANY}
    for name, number in numbers.items():
        await asyncio.to_thread(_filled, folder / name, number)
    async with AsyncExitStack() as stack:
        servers: dict[str, Server] = {}
        seconds: dict[str, float] = {}
        for name in numbers:
            begun = time.monotonic()
            servers[name] = registry_server(folder / name)
            stack.push_async_callback(servers[name].close)
            await servers[name].start()
            seconds[name] = time.monotonic() - begun
        for title, request in (("/check_user", _check_user), ("/resolve", _resolve)):
            kinds = {
                name: (servers[name], _asked(request, number, chance)) for name, number in numbers.items()
            }
            samples = await _turns(kinds)
            rows.append(_row(f"`{title}`, server's CPU", samples, 1.2))
        for name, number in numbers.items():
            rows.append(_reading(f"server with {number:,} identities, PSS", servers[name].pss_mib(), "MiB"))
            rows.append(_reading(f"its start with {number:,}", seconds[name], "s"))
    rows.append(_row("store alone, a look-up", await _stores(folder, numbers, chance), None))
    size = (folder / "many" / "registry" / "registry.db").stat().st_size
    rows.append(_reading(f"registry.db with {MANY:,}", size / MANY, "bytes per identity"))
    return rows


async def _turns(kinds: dict[str, tuple[Server, Iterator[bytes]]]) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(_WARM_UP + ROUNDS):
        for name in kinds if number % 2 else reversed(kinds):
            server, requests = kinds[name]
            microseconds = await server.turn(requests)
            if number >= _WARM_UP:
                samples[name].append(microseconds)
    return samples


async def _stores(folder: Path, numbers: dict[str, int], chance: random.Random) -> dict[str, list[float]]:
    stores = {name: SqliteStore(folder / name / "registry") for name in numbers}
    samples: dict[str, list[float]] = {name: [] for name in numbers}
    for store in stores.values():
        await asyncio.to_thread(store.open)
    for number in range(_WARM_UP + ROUNDS):
        for name in stores if number % 2 else reversed(stores):
            users = [handle(chance.randrange(numbers[name])) for _ in range(_LOOK_UPS)]
            before = time.thread_time()
            found = sum(stores[name].find(user) is not None for user in users)
            if found != _LOOK_UPS:
                raise RuntimeError("somebody was not found")
            if number >= _WARM_UP:
                samples[name].append((time.thread_time() - before) / _LOOK_UPS * 1e6)
    for store in stores.values():
        await store.close()
    return samples


def _asked(request: Callable[[UserId], bytes], number: int, chance: random.Random) -> Iterator[bytes]:
    while True:
        yield request(handle(chance.randrange(number)))


def _row(name: str, samples: dict[str, list[float]], target: float | None) -> Comparison:
    return Comparison(
        name=f"{name}, among {MANY:,} identities",
        ours=tuple(samples["many"]),
        floor=tuple(samples["few"]),
        floor_name=f"among {FEW:,}",
        unit="µs",
        target=target,
    )


def _reading(name: str, value: float, unit: str) -> Reading:
    return Reading(name=name, value=value, unit=unit, target=None, samples="one")


def _filled(folder: Path, number: int) -> None:
    """In a process of its own: what it takes of memory is none of the measured ones'."""
    folder.mkdir(mode=0o700, parents=True)
    program = [sys.executable, "-m", "benchmarks.registry_million", str(folder / "registry"), str(number)]
    subprocess.run(program, check=True)


async def _fill(folder: Path, number: int) -> None:
    store = SqliteStore(folder)
    store.open()
    own_key(StorageSettings(kind="sqlite", path=folder), os.urandom, first=True)
    chance = random.Random(number)
    for begin in range(0, number, _CHUNK):
        users = range(begin, min(number, begin + _CHUNK))
        await store.merge([record(user, chance.randbytes(64)) for user in users])
    await store.close()


if __name__ == "__main__":
    asyncio.run(_fill(Path(sys.argv[1]), int(sys.argv[2])))
