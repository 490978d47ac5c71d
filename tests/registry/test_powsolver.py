"""Solving: bounded in bits and time, stopped at once, seen while it lasts."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_client_errors import PowTooHard
from enigma_fed.registry import powsolver
from enigma_fed.registry.powsolver import solve
from enigma_fed.registry.powworker import is_solution

CHALLENGE = "000102030405060708090a0b0c0d0e0f"


def children() -> int:
    return len(psutil.Process().children())


@pytest.mark.parametrize("processes", [1, 2])
async def test_it_solves_with_as_many_processes_as_wanted(processes: int) -> None:
    before = children()
    found = await solve(CHALLENGE, 10, processes=processes)
    assert is_solution(CHALLENGE, found, 10)
    assert children() == before


async def test_few_bits_take_one_process_and_many_those_of_the_machine() -> None:
    heard: list[int] = []
    found = await solve(CHALLENGE, 19, progress=heard.append)
    assert is_solution(CHALLENGE, found, 19)
    assert heard == sorted(heard)
    assert heard[-1] > 0


@pytest.mark.parametrize("difficulty", [registry_limits.CLIENT_POW_DIFFICULTY + 1, 255])
async def test_invariant_7_more_bits_than_the_bound_are_not_begun(difficulty: int) -> None:
    before = children()
    with pytest.raises(PowTooHard, match=f"{difficulty} bits"):
        await solve(CHALLENGE, difficulty)
    assert children() == before


async def test_invariant_7_the_time_is_bounded_and_the_processes_end_with_it() -> None:
    before = children()
    with pytest.raises(PowTooHard, match="no solution of 30 bits"):
        await solve(CHALLENGE, registry_limits.CLIENT_POW_DIFFICULTY, seconds=0.3)
    assert children() == before


def test_invariant_7_no_more_processes_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    most = registry_limits.CLIENT_POW_PROCESSES
    for cores, taken in ((1, 1), (most, most), (most + 1, most)):
        monkeypatch.setattr("os.sched_getaffinity", lambda process, cores=cores: set(range(cores)))
        assert powsolver.cores_for(30) == taken
        assert powsolver.cores_for(18) == 1


async def test_cancelling_ends_the_processes() -> None:
    before = children()
    begun = asyncio.Event()
    work = asyncio.create_task(solve(CHALLENGE, 30, progress=lambda tries: begun.set(), processes=2))
    await asyncio.wait_for(begun.wait(), 60)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert children() == before


async def test_a_process_that_ends_by_itself_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enigma_fed.registry.powworker.__file__", "/nonexistent.py")
    with pytest.raises(PowTooHard, match="ended"):
        await solve(CHALLENGE, 10)
