"""Ten million inputs and more over all decoders, found by coverage: none may raise what is not declared.

Figures come from `make soak ARGS=tests/soak/test_fuzz.py`; docs/RELIABILITY.md holds them. Environment:
ENIGMA_FED_SOAK_FUZZ_RUNS (inputs in all), ENIGMA_FED_SOAK_FUZZ_TARGETS (names, by default all),
ENIGMA_FED_SOAK_FUZZ_FOUND (a folder to keep what was found for `python -m tests.fuzz.minimise`).
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS
from tests.support.prerequisites import missing

RUNS: Final = int(os.environ.get("ENIGMA_FED_SOAK_FUZZ_RUNS", "12000000"))
NAMES: Final = os.environ.get("ENIGMA_FED_SOAK_FUZZ_TARGETS", " ".join(TARGETS)).split()
AT_ONCE: Final = 2
SECONDS: Final = 3600
"""Longest run of one target."""
ROOT: Final = Path(__file__).parents[2]
_STATUS: Final = re.compile(r"^#\d+\s+(INITED|DONE)\s+cov: (\d+) ft: (\d+)", re.MULTILINE)
_STATISTIC: Final = re.compile(r"^stat::(\w+):\s+(\d+)", re.MULTILINE)
_FINISHED: Final = re.compile(r"^Done (\d+) runs in (\d+) second", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one target."""

    name: str
    inputs: int
    seconds: int
    features: tuple[int, int]
    """Reached by the kept corpus, and at the end."""
    memory_mb: int
    kept: int
    """Inputs in the kept corpus."""
    failure: str

    def __str__(self) -> str:
        before, after = self.features
        first_words = f"  {self.failure.splitlines()[0]}" if self.failure else ""
        return (
            f"fuzz: {self.name:26} {self.inputs:>9} inputs {self.seconds:>5} s  "
            f"features {before:>5} -> {after:>5}  {self.memory_mb:>4} MB  corpus {self.kept:>3}{first_words}"
        )


def run(name: str, runs: int, found: Path) -> Report:
    """Fuzz one target in a process of its own; an input that breaks it goes to the kept corpus."""
    found.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.campaign", name, "--runs", str(runs), "--found", str(found)]
    process = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
    )
    log = process.stderr
    statistics = {key: int(value) for key, value in _STATISTIC.findall(log)}
    features = {word: int(count) for word, _, count in _STATUS.findall(log)}
    finished = _FINISHED.search(log)
    crashers = sorted(path for kind in ("crash-*", "timeout-*", "oom-*") for path in found.glob(kind))
    for crasher in crashers:
        corpus.keep(TARGETS[name], crasher.read_bytes())
    failure = "" if finished and process.returncode == 0 and not crashers else f"FAILED\n{log[-3000:]}"
    report = Report(
        name=name,
        inputs=statistics.get("number_of_executed_units", 0),
        seconds=int(finished[2]) if finished else 0,
        features=(features.get("INITED", 0), features.get("DONE", 0)),
        memory_mb=statistics.get("peak_rss_mb", 0),
        kept=len(corpus.inputs(TARGETS[name])),
        failure=failure,
    )
    print(report, flush=True)
    return report


@pytest.mark.timeout(0)
def test_no_input_breaks_a_decoder(tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        missing("fuzzing needs atheris (wheels for x86-64 and Python 3.11 only; `make soak` installs it)")
    found = Path(os.environ.get("ENIGMA_FED_SOAK_FUZZ_FOUND", tmp_path))
    print(f"\nfuzz: {RUNS} inputs over {len(NAMES)} decoders, {AT_ONCE} at once", flush=True)
    share = -(-RUNS // len(NAMES))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reports = list(pool.map(lambda name: run(name, share, found / name), NAMES))
    total = sum(report.inputs for report in reports)
    failures = [f"{report.name}: {report.failure}" for report in reports if report.failure]
    print(f"fuzz: {total} inputs in all, {len(failures)} decoders broken", flush=True)
    assert not failures, "\n\n".join(failures)
    assert total >= RUNS
