"""A million unknown DIDs against one node, from other processes; ENIGMA_FED_SOAK_STRANGERS says how many."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from enigma_fed.base import limits
from tests.support import flood
from tests.support.target import RunningClock, Target, target

STRANGERS: Final = int(os.environ.get("ENIGMA_FED_SOAK_STRANGERS", "1000000"))
ATTACKERS: Final = 2
CONNECTIONS: Final = 32
"""Of each attacker."""
GROWTH_MIB: Final = 32.0
PARTS: Final = 10


async def attacker(victim: Target, kind: str, count: int) -> Counter[str]:
    """One process that floods; what it was answered."""
    arguments = (str(victim.port), str(victim.did), kind, str(count), str(CONNECTIONS))
    program = (sys.executable, "-m", "tests.support.flood", *arguments)
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return Counter(json.loads(said))


async def attack(victim: Target, kind: str, count: int) -> Counter[str]:
    """Flood from ATTACKERS processes while a member polls; check and print what it did to the node."""
    before = flood.memory()
    begun = time.monotonic()
    now = victim.clock.wall
    async with flood.watching() as watch, flood.member_calls(victim.port, victim.did, now, 1.0) as calls:
        each = count // ATTACKERS
        parts = await asyncio.gather(*(attacker(victim, kind, each) for _ in range(ATTACKERS)))
    words = sum(parts, Counter[str]())
    took, after = time.monotonic() - begun, flood.memory()
    print(f"{words.total()} of {kind} in {took:.0f} s, {words.total() / took:.0f} a second: {dict(words)}")
    print(f"  {calls}; {watch}; memory {before:.1f} MiB before, {after:.1f} MiB after", flush=True)
    assert watch.blocked == 0
    assert set(calls.words) == {"ok"}
    assert after - before < GROWTH_MIB
    return words


@pytest.mark.timeout(4 * 3600)
async def test_invariant_7_a_million_strangers(tmp_path: Path) -> None:
    async with target(tmp_path / "home", RunningClock(time.time, time.monotonic)) as victim:
        await attack(victim, "unknown", max(1000, STRANGERS // 100))
        first = flood.memory()
        for _ in range(PARTS):
            words = await attack(victim, "unknown", STRANGERS // PARTS)
            assert set(words) == {"unknown-peer"}
        for kind in ("unknown-token", "legacy", "churn"):
            words = await attack(victim, kind, STRANGERS // 10)
            assert "ok" not in words
        assert flood.memory() - first < GROWTH_MIB
        gate = victim.endpoint._gate
        assert gate._parse_keyid.cache_info().currsize <= limits.DIDS_CACHED
        assert len(gate._nonces) < limits.NONCES_PER_KEY
        assert len(victim.store.membership.nodes.nodes) == 1
