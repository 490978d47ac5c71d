"""Proof of work from the asking side: looked for by processes of its own, so that one can stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_client_errors import PowTooHard
from enigma_fed.registry import powworker

Progress = Callable[[int], None]
"""Hears how many tries there were in all."""

_ONE_IS_ENOUGH: Final = 18
"""Up to this difficulty a second process would start longer than it helps."""
_LINE_BYTES: Final = 128


def quiet(tries: int) -> None:
    """Show nothing."""


async def solve(
    challenge: str,
    difficulty: int,
    *,
    seconds: float = registry_limits.CLIENT_POW_SECONDS,
    progress: Progress = quiet,
    processes: int | None = None,
) -> str:
    """The solution of a challenge (its text as the registry gave it), within `seconds`; raises PowTooHard.

    Cancelling ends the processes. `processes` is the number of this process's cores, up to a bound.
    """
    if difficulty > registry_limits.CLIENT_POW_DIFFICULTY:
        raise PowTooHard(
            f"{difficulty} bits; this command does up to {registry_limits.CLIENT_POW_DIFFICULTY}",
            hint="Ask the registry's operator to lower pow.difficulty.",
        )
    count = processes or cores_for(difficulty)
    search = _Search(progress)
    workers = [asyncio.create_task(search.run(challenge, difficulty, n, count)) for n in range(count)]
    try:
        done, _ = await asyncio.wait(workers, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise PowTooHard(
                f"no solution of {difficulty} bits was found in {seconds:.0f} s",
                hint="Try again: how long it takes is chance. A longer time: --pow-seconds",
            )
        return done.pop().result()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def cores_for(difficulty: int) -> int:
    """How many processes are worth their start."""
    if difficulty <= _ONE_IS_ENOUGH:
        return 1
    return max(1, min(len(os.sched_getaffinity(0)), registry_limits.CLIENT_POW_PROCESSES))


class _Search:
    """Processes that share the numbers among them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tries = 0

    async def run(self, challenge: str, difficulty: int, first: int, step: int) -> str:
        """One process, until it finds a solution."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(Path(powworker.__file__)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(f"{challenge} {difficulty} {first} {step}\n".encode())
            return await self._read(process)
        finally:
            await _ended(process)

    async def _read(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None
        while True:
            words = (await process.stdout.readline()).split()
            if not words:
                raise PowTooHard("a process that looked for the solution ended", hint="Try again.")
            self._tries += int(words[0])
            self._progress(self._tries)
            if len(words) > 1:
                return words[1].decode()


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Let a process end, and wait for that, also when the wait itself is cancelled.

    Closing its input ends it within a moment. A signal could reap it behind asyncio's back.
    """
    assert process.stdin is not None
    process.stdin.close()
    waiting = asyncio.ensure_future(process.communicate())
    while not waiting.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(waiting)
