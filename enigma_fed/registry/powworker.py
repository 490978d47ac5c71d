"""Looks for the solution of a proof of work, as a process of its own: `python powworker.py`.

One line on standard input: challenge, difficulty, first number, step. Numbers are tried in decimal, from
the first on by the step. Each line on standard output is how many were tried since the one before, the last
with the solution behind it. It ends when it has found one, and soon after its input is closed: with whoever
started it, too. Nothing of the package is imported: a start costs a few hundredths of a second.
"""

from __future__ import annotations

import hashlib
import select
import sys
from collections.abc import Iterator

_LOOK = 16_384
"""Tries between two lines, and two looks at the input: a few hundredths of a second."""


def is_solution(challenge: str, solution: str, difficulty: int) -> bool:
    """Whether SHA-256 of both texts begins with so many zero bits (docs/REGISTRY.md section 5)."""
    digest = hashlib.sha256(f"{challenge}{solution}".encode()).digest()
    return int.from_bytes(digest, "big") < 1 << (256 - difficulty)


def tries(challenge: str, difficulty: int, first: int, step: int) -> Iterator[tuple[int, str | None]]:
    """How many numbers were tried since the last item and the solution, if it is among them; without end."""
    begun = hashlib.sha256(challenge.encode())
    bound = (1 << (256 - difficulty)).to_bytes(33, "big")[1:] if difficulty else None
    number = first
    while True:
        for done in range(1, _LOOK + 1):
            attempt = begun.copy()
            attempt.update(b"%d" % number)
            if bound is None or attempt.digest() < bound:
                yield done, str(number)
                return
            number += step
        yield _LOOK, None


def main() -> None:
    """Read the line, look, and write what is found."""
    challenge, difficulty, first, step = sys.stdin.readline().split()
    for done, solution in tries(challenge, int(difficulty), int(first), int(step)):
        print(done, solution or "", flush=True)
        if select.select([sys.stdin], [], [], 0)[0]:
            return


if __name__ == "__main__":
    main()
