"""The kept inputs, one file each: corpus/<target>/<first digits of its SHA-256>.

`python -m tests.fuzz.corpus` adds what the targets' seeds give; crashers that were found stay for good.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

FOLDER: Final = Path(__file__).with_name("corpus")


def inputs(target: Target) -> list[bytes]:
    """Every kept input of a target, in a fixed order."""
    return [path.read_bytes() for path in sorted((FOLDER / target.name).iterdir())]


def keep(target: Target, data: bytes) -> None:
    """Add an input."""
    folder = FOLDER / target.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def main() -> None:
    """Write the seeds of every target."""
    for target in TARGETS.values():
        for seed in target.seeds():
            if len(seed) <= target.longest:
                keep(target, seed)


if __name__ == "__main__":
    main()
