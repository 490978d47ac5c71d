"""The search itself, and as the process that it is."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from enigma_fed.registry import powworker
from enigma_fed.registry.powworker import is_solution, tries

CHALLENGE = "000102030405060708090a0b0c0d0e0f"


def test_the_sheets_example() -> None:
    assert is_solution(CHALLENGE, "456", 8)
    assert not is_solution(CHALLENGE, "0", 8)


@pytest.mark.parametrize("difficulty", [0, 1, 7, 8, 9, 12])
def test_what_is_found_has_so_many_zero_bits_and_nothing_before_it_has(difficulty: int) -> None:
    (*_, (_, found)) = tries(CHALLENGE, difficulty, 0, 1)
    assert found is not None
    bits = "".join(f"{byte:08b}" for byte in hashlib.sha256(f"{CHALLENGE}{found}".encode()).digest())
    assert bits.startswith("0" * difficulty)
    assert not any(is_solution(CHALLENGE, str(number), difficulty) for number in range(int(found)))


def test_workers_share_the_numbers() -> None:
    found = {int(text) for first in range(3) for _, text in tries(CHALLENGE, 6, first, 3) if text}
    assert {number % 3 for number in found} == {0, 1, 2}


def test_the_tries_are_counted() -> None:
    counted = list(tries(CHALLENGE, 8, 0, 1))
    assert counted == [(457, "456")]


def worker() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", powworker.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_it_runs_without_the_package_and_ends_with_its_input() -> None:
    with worker() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{CHALLENGE} 200 0 1\n")
        process.stdin.flush()
        assert int(process.stdout.readline()) > 0
        process.stdin.close()
        assert process.wait(60) == 0


def test_it_ends_when_nobody_reads() -> None:
    with worker() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{CHALLENGE} 200 0 1\n")
        process.stdin.flush()
        process.stdout.close()
        assert process.wait(60) != 0


def test_the_process_writes_what_it_found() -> None:
    with worker() as process:
        written, _ = process.communicate(f"{CHALLENGE} 8 0 1\n")
        assert (written, process.returncode) == ("457 456\n", 0)
