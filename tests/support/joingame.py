"""Games on the join model: which moves there are, how often each comes, and a driver for random ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.support.joinmodel import Pick, World
from tests.support.joinworld import ModelHome

Move = Callable[[World, ModelHome, Pick], None]


def _moves(*names: str) -> tuple[Move, ...]:
    return tuple(getattr(World, name) for name in names)


OWNERS: Final = _moves(
    *("create",) * 5, *("accept",) * 7, *("approve",) * 3, "revoke", "remove", "trust", "pause"
)
"""What an owner does at a home, the usual more often."""
HOMES: Final = _moves(*("deliver",) * 6, *("poll",) * 6, "sweep", "intrude", "tokenless")
"""What goes out from a home."""
FAULTS: Final = _moves("crash", "crash", "full_disk", "step_clock", "step_clock")
"""What befalls a home."""
RESTORES: Final = _moves("save", "save", "restore")
"""What an owner with old copies does."""
HARM: Final = ("lose_request", "lose_answer", "give_up_waiting")


def network(world: World, pick: Pick) -> None:
    """Something becomes of what is on its way, mostly what should."""
    if pick(12) == 0:
        getattr(world, HARM[pick(3)])(pick)
        return
    ways = [way for way, some in zip(("arrive", "reply", "go_on"), world.under_way(), strict=True) if some]
    if ways:
        getattr(world, ways[pick(len(ways))])(pick)
        return
    home = world.homes[pick(len(world.homes))]
    if home.up:
        (world.deliver if pick(2) else world.poll)(home, pick)


def play(world: World, pick: Pick, steps: int) -> None:
    """So many moves, then everything heals and is judged."""
    for _ in range(steps):
        home, kind = world.homes[pick(len(world.homes))], pick(60)
        world.counts["steps"] += 1
        if kind == 0:
            world.pass_time(pick)
        elif kind < 33:
            network(world, pick)
        elif not home.up:
            world.restart(home)
        elif kind < 36:
            FAULTS[pick(len(FAULTS))](world, home, pick)
        elif kind < 39 and world.judge.restores:
            RESTORES[pick(len(RESTORES))](world, home, pick)
        else:
            moves = OWNERS if kind < 46 else HOMES
            moves[pick(len(moves))](world, home, pick)
    world.heal()
