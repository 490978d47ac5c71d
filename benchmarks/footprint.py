"""Memory and CPU of agent processes that nobody bothers, after five minutes, their tors counted apart."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from benchmarks.report import Reading

AGE_SECONDS: Final = 300
WATCH_SECONDS: Final = 60


class Subject(NamedTuple):
    """An agent and its tor, by process id."""

    name: str
    agent: int
    tor: int


async def run(subjects: Sequence[Subject], started: float) -> list[Reading]:
    """Read all of them over the same minute, once they are AGE_SECONDS old; `started` is time.monotonic()."""
    await asyncio.sleep(max(0.0, started + AGE_SECONDS - time.monotonic()))
    before = [_Usage.of(subject) for subject in subjects]
    await asyncio.sleep(WATCH_SECONDS)
    readings: list[Reading] = []
    for subject, earlier in zip(subjects, before, strict=True):
        readings += _readings(subject, earlier, _Usage.of(subject))
    return readings


class _Usage(NamedTuple):
    """Processor seconds so far."""

    agent: float
    tor: float

    @classmethod
    def of(cls, subject: Subject) -> _Usage:
        return cls(_cpu_seconds(subject.agent), _cpu_seconds(subject.tor))


def _readings(subject: Subject, before: _Usage, after: _Usage) -> list[Reading]:
    age, watched = f"after {AGE_SECONDS} s", f"{WATCH_SECONDS} s"
    agent, tor = ((now - then) / WATCH_SECONDS * 100 for then, now in zip(before, after, strict=True))
    share, name = "% of a core", subject.name
    return [
        Reading(name=f"{name}, PSS", value=pss_mib(subject.agent), unit="MiB", target=60, samples=age),
        Reading(name=f"{name}, CPU", value=agent, unit=share, target=0.5, samples=watched),
        Reading(
            name=f"{name}, its tor, PSS", value=pss_mib(subject.tor), unit="MiB", target=None, samples=age
        ),
        Reading(name=f"{name}, its tor, CPU", value=tor, unit=share, target=None, samples=watched),
    ]


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def pss_mib(pid: int) -> float:
    """Proportional set size of a process."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    if found is None:
        raise RuntimeError("this kernel reports no PSS")
    return int(found[1]) / 1024
