"""`enigma-fed --help` against `python -c "import click"`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.report import Comparison

_PAIRS = 40


def run() -> Comparison:
    """Time both commands, interleaved, after a warm-up of each."""
    ours_command = [str(Path(sys.executable).with_name("enigma-fed")), "--help"]
    floor_command = [sys.executable, "-c", "import click"]
    for command in (ours_command, floor_command):
        _milliseconds(command)
    ours, floor = [], []
    for _ in range(_PAIRS):
        ours.append(_milliseconds(ours_command))
        floor.append(_milliseconds(floor_command))
    return Comparison(
        name="`enigma-fed --help`",
        ours=tuple(ours),
        floor=tuple(floor),
        floor_name='`python -c "import click"`',
        unit="ms",
        target=1.2,
    )


def _milliseconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000
