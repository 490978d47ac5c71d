"""The runner of the mutants, on a tree of three lines, and the definitions against the real tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants.run import DEFINITIONS, ROOT, Definitions, Mutant, Verdict, examine, main

_SOURCE = """\
def check(age):
    if age > 60:
        raise ValueError("too old")
    return True
"""
_TESTS = """\
import pytest
from guarded import check


def test_invariant_1_too_old():
    with pytest.raises(ValueError):
        check(61)


def test_invariant_1_looks_away():
    assert check(1)


def test_invariant_1_always_red():
    assert False
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "guarded.py").write_text(_SOURCE)
    (folder / "test_guarded.py").write_text(_TESTS)
    return folder


def _mutant(test: str, old: str = "age > 60", new: str = "False") -> Mutant:
    return Mutant(1, "age", "guarded.py", old, new, f"test_guarded.py::test_invariant_1_{test}")


def test_each_mutant_gets_the_verdict_it_deserves(tree: Path) -> None:
    expected = [
        (_mutant("too_old"), Verdict.KILLED),
        (_mutant("looks_away"), Verdict.SURVIVED),
        (_mutant("always_red"), Verdict.RED),
        (_mutant("not_there"), Verdict.RED),
        (_mutant("too_old", old="age > 90"), Verdict.STALE),
        (_mutant("too_old", old="age"), Verdict.STALE),
        (_mutant("too_old", new="age >"), Verdict.BROKEN),
    ]
    mutants = tuple(mutant for mutant, _ in expected)
    assert list(examine(tree, mutants, jobs=2)) == expected
    assert list(examine(tree, mutants[:2])) == expected[:2], "one at a time says the same"
    assert (tree / "guarded.py").read_text() == _SOURCE


def test_a_survivor_or_an_invariant_without_a_mutant_fails_the_run(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    definitions = tree.parent / "mutants.toml"
    entry = """
        [[mutant]]
        invariant = 1
        guard = "age"
        file = "guarded.py"
        old = "age > 60"
        new = "False"
        test = "test_guarded.py::test_invariant_1_{test}"
    """

    def run(invariants: str, test: str) -> int:
        definitions.write_text(f"invariants = {invariants}\n{entry.format(test=test)}")
        return main(["--tree", str(tree), "--definitions", str(definitions)])

    assert run("[1]", "too_old") == 0
    assert run("[1]", "looks_away") == 1
    assert run("[1, 2]", "too_old") == 1
    assert "no mutant stands for it" in capsys.readouterr().out


def _names_in(test_file: Path) -> set[str]:
    return set(re.findall(r"^\s*(?:async )?def (test_\w+)", test_file.read_text(), re.MULTILINE))


@pytest.mark.parametrize("mutant", Definitions.load(DEFINITIONS).mutants, ids=lambda m: m.guard)
def test_every_mutant_still_applies_and_names_a_test_of_its_invariant(mutant: Mutant) -> None:
    file, *_, name = mutant.test.split("::")
    assert mutant.apply((ROOT / mutant.file).read_text()) is not None, "the guard's text has changed"
    assert name.partition("[")[0] in _names_in(ROOT / file)
    assert name.startswith(f"test_invariant_{mutant.invariant}_")


def test_no_invariant_is_without_a_mutant() -> None:
    assert not Definitions.load(DEFINITIONS).unguarded()
