"""The progress of a proof of work, on standard error."""

from __future__ import annotations

import math
import sys
import time
from typing import Final

from enigma_fed.cli import output
from enigma_fed.cli.humane import duration

_TOLD_FIRST: Final = 2.0
_TOLD_AGAIN: Final = 30.0


async def shown_solver(challenge: str, difficulty: int, seconds: float) -> str:
    """Solve a challenge under the eyes of who waits for it; raises PowTooHard."""
    from enigma_fed.registry import powsolver

    if not sys.stderr.isatty():
        told = Told(difficulty, time.monotonic())
        return await powsolver.solve(
            challenge, difficulty, seconds=seconds, progress=lambda tries: told.at(tries, time.monotonic())
        )
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    columns = (
        TextColumn("proof of work, {task.fields[bits]} bits"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} % of cases are solved by now"),
        TimeElapsedColumn(),
    )
    with output.drawn(), Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0, bits=difficulty)
        return await powsolver.solve(
            challenge,
            difficulty,
            seconds=seconds,
            progress=lambda tries: bar.update(task, completed=likelihood(tries, difficulty)),
        )


def likelihood(tries: int, difficulty: int) -> float:
    """How likely it is that so many tries held a solution, 0 to 1."""
    return -math.expm1(-tries / 2.0**difficulty)


class Told:
    """Lines for a log or a pipe, the first after two seconds."""

    def __init__(self, difficulty: int, begun: float) -> None:
        self._difficulty = difficulty
        self._begun = begun
        self._next = begun + _TOLD_FIRST

    def at(self, tries: int, now: float) -> None:
        """Tell it, if it is time to."""
        if now >= self._next:
            self._next = now + _TOLD_AGAIN
            percent = f"{likelihood(tries, self._difficulty):.0%}".replace("%", " %")
            output.talk(
                f"proof of work of {self._difficulty} bits: {tries} tries in {duration(now - self._begun)}; "
                f"{percent} of cases are solved by now …"
            )
