"""The join model for a long time, with games that are different in every run.

`ENIGMA_FED_JOIN_MODEL_SECONDS` is how long (600), `ENIGMA_FED_JOIN_MODEL_SEED` the first game: a game that
fails names its seed, and that seed alone plays it again.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections import Counter

import pytest

from tests.support.joingame import play
from tests.support.joinmodel import World

SECONDS = float(os.environ.get("ENIGMA_FED_JOIN_MODEL_SECONDS", "600"))
MOST_SECONDS = 3600.0
SEED = os.environ.get("ENIGMA_FED_JOIN_MODEL_SEED", "")
SHOWN = (
    *("games", "steps", "messages", "answers", "lost", "doubled", "delayed", "reordered"),
    *("crashes", "restarts", "failed writes", "restores"),
)


@pytest.mark.timeout(MOST_SECONDS + 600)
def test_the_join_model_for_a_long_time() -> None:
    seed = int(SEED) if SEED else secrets.randbits(40)
    end = time.monotonic() + min(SECONDS, MOST_SECONDS)
    total: Counter[str] = Counter()
    while time.monotonic() < end:
        total += _game(seed)
        total["games"] += 1
        seed += 1
    print("\njoin model:", ", ".join(f"{total[what]:,} {what}" for what in SHOWN))
    assert min(total[what] for what in ("crashes", "lost", "doubled")) > 0


def _game(seed: int) -> Counter[str]:
    """Two or three homes, long or short, every fourth game with old copies of files."""
    chance = random.Random(seed)
    world = World(chance.choice((2, 2, 3)), restores=seed % 4 == 0)
    try:
        play(world, chance.randrange, chance.choice((60, 150, 150, 600)))
    except AssertionError as error:
        error.add_note(f"ENIGMA_FED_JOIN_MODEL_SEED={seed} ENIGMA_FED_JOIN_MODEL_SECONDS=1 plays it again")
        raise
    return world.counts
