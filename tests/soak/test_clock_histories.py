"""Many histories of clock steps, restarts and replays: no request is let in twice (invariant 1).

`make soak ARGS=tests/soak/test_clock_histories.py`; ENIGMA_FED_SOAK_CLOCK_HISTORIES is their number.
"""

from __future__ import annotations

import os
import random
import time
from typing import Final

import pytest

from tests.support.clockhistories import Event, twice_let_in

HISTORIES: Final = int(os.environ.get("ENIGMA_FED_SOAK_CLOCK_HISTORIES", "300000"))
_SECONDS: Final = (1, 2, 3, 30, 59, 60, 61, 119, 120, 121, 122, 179, 180, 181, 300, 3600, 7200, 86400)


def _event(chance: random.Random) -> Event:
    seconds = chance.choice(_SECONDS) + chance.choice((0, 0, chance.random()))
    what = chance.choice(("advance", "advance", "step", "request", "request", "first", "lost", "restart"))
    if what == "step":
        return what, chance.choice((seconds, -seconds))
    if what in ("advance", "restart"):
        return what, seconds
    return what, chance.choice((chance.randint(-60, 60), seconds, -seconds))


@pytest.mark.timeout(300 + HISTORIES // 200)
def test_invariant_1_no_history_lets_a_request_in_twice() -> None:
    begun, events = time.monotonic(), 0
    for seed in range(HISTORIES):
        chance = random.Random(seed)
        history = [_event(chance) for _ in range(chance.randint(3, 20))]
        events += len(history)
        assert (found := twice_let_in(history)) is None, f"seed {seed}: {found}"
    took = time.monotonic() - begun
    print(f"clock: {HISTORIES} histories, {events} events in {took:.0f} s: no request let in twice")
