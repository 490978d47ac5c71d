"""Memory and idle CPU of an agent process after five minutes, its tor counted apart."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Final

import psutil

from benchmarks.report import Reading

AGE_SECONDS: Final = 300
_WATCH_SECONDS: Final = 60


async def run(agent_pid: int, tor_pid: int, started: float) -> list[Reading]:
    """Read both processes once the agent is AGE_SECONDS old; `started` is on time.monotonic()."""
    await asyncio.sleep(max(0.0, started + AGE_SECONDS - time.monotonic()))
    before = {pid: _cpu_seconds(pid) for pid in (agent_pid, tor_pid)}
    await asyncio.sleep(_WATCH_SECONDS)
    load = {pid: (_cpu_seconds(pid) - before[pid]) / _WATCH_SECONDS * 100 for pid in before}
    after = f"after {AGE_SECONDS} s"
    return [
        Reading(name="agent, PSS", value=_pss_mib(agent_pid), unit="MiB", target=60, samples=after),
        Reading(
            name="agent, idle CPU",
            value=load[agent_pid],
            unit="% of a core",
            target=0.5,
            samples=f"{_WATCH_SECONDS} s",
        ),
        Reading(name="its tor, PSS", value=_pss_mib(tor_pid), unit="MiB", target=None, samples=after),
        Reading(
            name="its tor, CPU",
            value=load[tor_pid],
            unit="% of a core",
            target=None,
            samples=f"{_WATCH_SECONDS} s",
        ),
    ]


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _pss_mib(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    if found is None:
        raise RuntimeError("this kernel reports no PSS")
    return int(found[1]) / 1024
