"""Small files, small functions: what can be read in one go can be checked in one go."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.architecture.source import PACKAGE, ROOT, report

FILE_LINES = 400
FUNCTION_LINES = 60
MEDIAN_FILE_LINES = 200
MEDIAN_FUNCTION_LINES = 10
# Files over the limit, with the reason for each.
LONG_FILES: dict[str, str] = {}


def _sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def _length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    """(where, lines) of each function, from `def` to its last line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
            where = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            yield where, node.end_lineno - node.lineno + 1


def test_no_file_is_longer_than_400_lines() -> None:
    report(
        [
            f"{name}: {_length(path)} lines"
            for path in _sources(PACKAGE, "tests", "benchmarks")
            if _length(path) > FILE_LINES and (name := str(path.relative_to(ROOT))) not in LONG_FILES
        ]
    )


def test_no_function_is_longer_than_60_lines() -> None:
    report(
        [
            f"{where}: {lines} lines"
            for path in _sources(PACKAGE, "tests", "benchmarks")
            for where, lines in _functions(path)
            if lines > FUNCTION_LINES
        ]
    )


def test_most_files_and_functions_are_short() -> None:
    files = _sources(PACKAGE)
    assert median(_length(path) for path in files) <= MEDIAN_FILE_LINES
    assert median(lines for path in files for _, lines in _functions(path)) < MEDIAN_FUNCTION_LINES
