"""The whole join as one state machine: owners, a bad network, kills and clocks, in any order.

The model runs the real `Federation` and `Exchange` (tests/support/joinworld.py); what must hold stands in
tests/support/joinjudge.py. The same in every run; the long, ever different one is in tests/soak/.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.support.joingame import FAULTS, HOMES, OWNERS, RESTORES, network, play
from tests.support.joinmodel import Pick, World

HOME = st.integers(0, 2)
CHOICES = st.tuples(*[st.integers(0, 59)] * 5)


def picking(choices: tuple[int, ...]) -> Pick:
    """The numbers one after the other, for as long as they last."""
    left = iter(choices)
    return lambda count: next(left, 0) % count


class JoinMachine(RuleBasedStateMachine):
    """Two or three homes; hypothesis chooses what happens, and shrinks it when it must not."""

    restores = False
    world: World

    @initialize(homes=st.integers(2, 3))
    def begin(self, homes: int) -> None:
        self.world = World(homes, restores=self.restores)

    def move(self, moves: Any, at: int, choices: tuple[int, ...]) -> None:
        home = self.world.homes[at % len(self.world.homes)]
        first, *rest = choices
        if home.up:
            moves[first % len(moves)](self.world, home, picking(tuple(rest)))
        else:
            self.world.restart(home)

    @rule(at=HOME, choices=CHOICES)
    def owner(self, at: int, choices: tuple[int, ...]) -> None:
        self.move(OWNERS, at, choices)

    @rule(at=HOME, choices=CHOICES)
    def home(self, at: int, choices: tuple[int, ...]) -> None:
        self.move(HOMES, at, choices)

    @rule(choices=CHOICES)
    def network(self, choices: tuple[int, ...]) -> None:
        network(self.world, picking(choices))

    @rule(choices=CHOICES)
    def more_network(self, choices: tuple[int, ...]) -> None:
        network(self.world, picking(choices))

    @rule(at=HOME, choices=CHOICES)
    def fault(self, at: int, choices: tuple[int, ...]) -> None:
        self.move((*FAULTS, *RESTORES * 2) if self.restores else FAULTS, at, choices)

    @rule(choices=CHOICES)
    def time(self, choices: tuple[int, ...]) -> None:
        self.world.pass_time(picking(choices))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.heal()


class RestoringMachine(JoinMachine):
    """The same with old copies of a home's files put back."""

    restores = True


SMALL = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    stateful_step_count=60,
    suppress_health_check=list(HealthCheck),
)
JoinMachine.TestCase.settings = SMALL
RestoringMachine.TestCase.settings = SMALL
TestJoin = JoinMachine.TestCase
TestJoinWithRestores = RestoringMachine.TestCase


def played(seed: int, *, restores: bool = False, steps: int = 150) -> World:
    """One game, the same for the same seed."""
    world = World(2 + seed % 2, restores=restores)
    play(world, random.Random(seed).randrange, steps)
    return world


@pytest.mark.parametrize("part", range(4))
def test_invariant_3_and_6_hold_in_every_game(part: int) -> None:
    for seed in range(part, 240, 4):
        played(seed)


def test_games_with_old_copies_of_files_give_nobody_rights() -> None:
    for seed in range(80):
        played(seed, restores=True)


def test_the_games_reach_what_they_are_for() -> None:
    counts = sum((played(seed).counts for seed in range(40)), start=Counter[str]())
    wanted = ("crashes", "restarts", "lost", "doubled", "delayed", "reordered", "failed writes", "answers")
    assert all(counts[what] > 5 for what in wanted), counts
