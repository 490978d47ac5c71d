"""One fuzz target under atheris: `python -m tests.fuzz.campaign TARGET --runs N --found FOLDER`.

Inputs that reach new code go to FOLDER/corpus, an input that breaks the target to FOLDER/crash-… with its
stack on stderr. libFuzzer ends the process itself, so the last lines of stderr carry the counts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Final

import atheris

MEMORY_MB: Final = 1024
SECONDS: Final = 10
"""One input may take this long, on a busy machine, before it counts as a crash."""


def dictionary(path: Path, tokens: Iterable[bytes]) -> Path:
    """Write the tokens of our own mutations as a dictionary of libFuzzer's."""
    lines = ['"' + "".join(f"\\x{byte:02x}" for byte in token) + '"' for token in tokens if token]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def main() -> None:
    """Run until so many inputs were tried."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--found", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="0: a new one every time")
    arguments = parser.parse_args()
    with atheris.instrument_imports(include=["enigma_fed"], enable_loader_override=False):
        from tests.fuzz import corpus
        from tests.fuzz.mutation import TOKENS, mutate
        from tests.fuzz.targets import TARGETS
    target = TARGETS[arguments.target]
    found: Path = arguments.found
    (found / "corpus").mkdir(parents=True, exist_ok=True)

    def changed(data: bytes, longest: int, seed: int) -> bytes:
        """libFuzzer's own changes and ours, half each."""
        if seed & 1:
            return bytes(atheris.Mutate(data, longest))
        return mutate(data, Random(seed), target.form)[:longest]

    options = {
        "runs": arguments.runs,
        "seed": arguments.seed,
        "max_len": target.longest,
        "timeout": SECONDS,
        "rss_limit_mb": MEMORY_MB,
        "dict": dictionary(found / "tokens.dict", TOKENS),
        "artifact_prefix": f"{found}/",
        "print_final_stats": 1,
        "verbosity": 1,
        "reload": 0,
    }
    folders = (str(found / "corpus"), str(corpus.FOLDER / target.name))
    command = [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), *folders]
    atheris.Setup(command, target.read, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
