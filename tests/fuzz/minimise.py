"""What a campaign found, reduced to what is worth keeping: `python -m tests.fuzz.minimise FOLDER`.

FOLDER holds <target>/corpus of `tests.fuzz.campaign`. An input is kept, shortest first, when it takes a
way through enigma_fed (a pair of lines, one after the other) that no kept one takes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from tests.fuzz import corpus
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

BYTES: Final = 5000
"""Most that one target gets."""
_PACKAGE: Final = str(Path(__file__).parents[2] / "enigma_fed")

Step = tuple[str, int, int]


def steps(read: Callable[[bytes], Any], data: bytes) -> set[Step]:
    """The pairs of lines of the package that follow each other while it is read."""
    taken: set[Step] = set()
    last: dict[FrameType, int] = {}

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            taken.add((frame.f_code.co_filename, last.get(frame, 0), frame.f_lineno))
            last[frame] = frame.f_lineno
        return line

    def call(frame: FrameType, _event: str, _: Any) -> Any:
        return line if frame.f_code.co_filename.startswith(_PACKAGE) else None

    sys.settrace(call)
    try:
        read(data)
    finally:
        sys.settrace(None)
    return taken


def minimise(target: Target, found: Path) -> tuple[int, int]:
    """Keep what is new; returns how many inputs and bytes that is."""
    known: set[Step] = set()
    for data in corpus.inputs(target):
        known |= steps(target.read, data)
    count = size = 0
    for data in sorted((path.read_bytes() for path in found.iterdir()), key=len):
        new = steps(target.read, data) - known
        if new and size + len(data) <= BYTES:
            corpus.keep(target, data)
            known |= new
            count, size = count + 1, size + len(data)
    return count, size


def main() -> None:
    """Minimise every target's folder."""
    for name, target in TARGETS.items():
        found = Path(sys.argv[1]) / name / "corpus"
        if found.is_dir():
            count, size = minimise(target, found)
            print(f"{name}: {count} inputs, {size} bytes kept")


if __name__ == "__main__":
    main()
