"""Takes out each security guard in turn, in a copy of the tree, and demands that its test notices.

`make mutants` runs all of `definitions/`; `python -m tests.mutants.run --invariant 4` those of one invariant.
A mutant that survives, that no longer applies, whose test is red without it, or that breaks more than it
should (a file that cannot be imported) fails the run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DEFINITIONS: Final = Path(__file__).with_name("definitions")
# A guard against waiting for ever is taken out, too: then its test fails by this time-out.
TEST_SECONDS: Final = 30
# One run of pytest; more than this is a hang that no time-out could end.
RUN_SECONDS: Final = 300
# Tests of one unchanged run.
PART: Final = 20
_LEFT_OUT: Final = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "local", "dist", "build"
)


class Verdict(Enum):
    """What became of a mutant; only KILLED is good."""

    KILLED = "killed"
    SURVIVED = "SURVIVED: its test passes without the guard"
    STALE = "STALE: the old text does not stand in the file exactly once"
    RED = "RED: its test does not pass with the guard in place"
    BROKEN = "BROKEN: the test did not run to an end with the change"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One guard and the edit that takes it out."""

    invariant: int
    guard: str
    file: str
    old: str
    new: str
    test: str
    """Node id of the one test that must fail."""

    def apply(self, text: str) -> str | None:
        """The file's text without the guard; None when the old text is not there exactly once."""
        return text.replace(self.old, self.new) if text.count(self.old) == 1 else None


@dataclass(frozen=True, slots=True)
class Definitions:
    """All mutants, and the invariants of which each needs at least one."""

    invariants: tuple[int, ...]
    mutants: tuple[Mutant, ...]

    @classmethod
    def load(cls, path: Path) -> Definitions:
        """Read a definitions file, or every one of a folder; an unknown key is an error."""
        parts = [cls._read(file) for file in (sorted(path.glob("*.toml")) if path.is_dir() else [path])]
        invariants = {number for part in parts for number in part.invariants}
        return cls(tuple(sorted(invariants)), tuple(mutant for part in parts for mutant in part.mutants))

    @classmethod
    def _read(cls, file: Path) -> Definitions:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        mutants = tuple(Mutant(**entry) for entry in data.pop("mutant", []))
        return cls(invariants=tuple(data.pop("invariants")), mutants=mutants, **data)

    def unguarded(self) -> list[int]:
        """Invariants that no mutant stands for."""
        covered = {mutant.invariant for mutant in self.mutants}
        return [number for number in self.invariants if number not in covered]


class Copy:
    """A copy of the tree in which single tests run; the tree itself is never touched."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self._tree = tree
        self._folder = folder / "tree"
        shutil.copytree(tree, self._folder, ignore=_LEFT_OUT, symlinks=True)

    def run_tests(self, nodes: list[str]) -> int | None:
        """Pytest's exit status for these tests; None when they hang."""
        # Only the plugins that a test needs: finding and loading the others takes longer than the test.
        plugins = [
            "-p",
            "no:cacheprovider",
            "-p",
            "pytest_timeout",
            "-p",
            "pytest_asyncio.plugin",
            "-p",
            "_hypothesis_pytestplugin",
        ]
        options = ["-q", "-x", *plugins, f"--timeout={TEST_SECONDS}"]
        command = [sys.executable, "-m", "pytest", *options, *nodes]
        # No byte code: an edit within the same second would not be seen.
        # The path: the copy comes before the installed package.
        environment = {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(self._folder),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        try:
            done = subprocess.run(
                command,
                cwd=self._folder,
                env=environment,
                capture_output=True,
                timeout=RUN_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        return done.returncode

    def passing(self, nodes: list[str]) -> set[str]:
        """Those of the tests that pass on the unchanged tree; one run for all while all is well."""
        if not nodes or self.run_tests(nodes) == 0:
            return set(nodes)
        return {node for node in nodes if self.run_tests([node]) == 0}

    def judge(self, mutant: Mutant) -> Verdict:
        """Apply one mutant, run its test, put the file back."""
        file = self._folder / mutant.file
        original = file.read_text(encoding="utf-8") if file.is_file() else ""
        changed = mutant.apply(original)
        if changed is None:
            return Verdict.STALE
        file.write_text(changed, encoding="utf-8")
        try:
            status = self.run_tests([mutant.test])
        finally:
            file.write_text(original, encoding="utf-8")
        return {0: Verdict.SURVIVED, 1: Verdict.KILLED}.get(-1 if status is None else status, Verdict.BROKEN)


class Copies:
    """A copy of the tree for each of several workers."""

    def __init__(self, tree: Path, folder: Path, jobs: int) -> None:
        self._free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(jobs):
            self._free.put(Copy(tree, folder / str(number)))

    @contextlib.contextmanager
    def one(self) -> Iterator[Copy]:
        """A copy that nobody else uses meanwhile."""
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)

    def passing(self, nodes: list[str]) -> set[str]:
        """As `Copy.passing`."""
        with self.one() as copy:
            return copy.passing(nodes)

    def judge(self, mutant: Mutant) -> Verdict:
        """As `Copy.judge`."""
        with self.one() as copy:
            return copy.judge(mutant)


def examine(tree: Path, mutants: tuple[Mutant, ...], jobs: int = 1) -> Iterator[tuple[Mutant, Verdict]]:
    """Judge each mutant in fresh copies of `tree`, `jobs` at a time; the verdicts come in order."""
    nodes = list(dict.fromkeys(mutant.test for mutant in mutants))
    parts = [nodes[first : first + PART] for first in range(0, len(nodes), PART)]
    with (
        tempfile.TemporaryDirectory(prefix="enigma-fed-mutants-") as folder,
        ThreadPoolExecutor(jobs) as workers,
    ):
        copies = Copies(tree, Path(folder), jobs)
        passing = set[str]().union(*workers.map(copies.passing, parts))
        sound = [mutant for mutant in mutants if mutant.test in passing]
        verdicts = workers.map(copies.judge, sound)
        for mutant in mutants:
            yield mutant, next(verdicts) if mutant.test in passing else Verdict.RED


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Take out each guard in turn; its test must fail.")
    parser.add_argument("--invariant", type=int, help="only the mutants of this invariant")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    parser.add_argument("--definitions", type=Path, default=DEFINITIONS)
    parser.add_argument("--tree", type=Path, default=ROOT)
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Run, print a line for each mutant, and return the exit status."""
    arguments = _arguments(argv)
    definitions = Definitions.load(arguments.definitions)
    chosen = tuple(m for m in definitions.mutants if arguments.invariant in {None, m.invariant})
    begun = time.monotonic()
    alive = 0
    for mutant, verdict in examine(arguments.tree, chosen, arguments.jobs):
        alive += verdict is not Verdict.KILLED
        print(f"  invariant {mutant.invariant:2}  {mutant.guard:<62} {verdict.value}", flush=True)
    for number in definitions.unguarded():
        alive += 1
        print(f"  invariant {number:2}  no mutant stands for it")
    print(f"mutants: {len(chosen)}, not killed: {alive}, {time.monotonic() - begun:.0f} s")
    return 1 if alive or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
