"""Random histories on a bad network: states change, homes start anew, clocks step, somebody lies."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from enigma_fed.base.errors import EnigmaError
from enigma_fed.wire.snapshot import App
from tests.support.fakenetwork import settle
from tests.support.faultynetwork.lies import LIES
from tests.support.faultynetwork.post import Weather
from tests.support.faultynetwork.world import FaultyNetwork, StateHome

_APPS: Final = ("bitcoin", "fedimint", "lnd", "mempool", "nextcloud", "Ärger", "app with a long name " * 4)
_STATUS: Final = ("running", "stopped", "installing")
_STEPS: Final = (*(15.0,) * 80, *(60.0,) * 72)
"""Simulated seconds within which everybody must show everybody's newest state once the network is good.

Two homes that have only lied to each other may leave each other alone for limits.POLL_BACKOFF_MAX.
"""

Move = Callable[[FaultyNetwork, StateHome, random.Random], Awaitable[None]]


async def gauges(network: FaultyNetwork, home: StateHome, chance: random.Random) -> None:
    """The machine's gauges move, some go away."""
    home.machine.gauges = msgspec.structs.replace(
        home.machine.gauges,
        cpu_tenths=chance.choice((None, chance.randrange(1001))),
        mem_used_kib=chance.randrange(2**40),
        disk_used_kib=chance.choice((None, chance.randrange(2**40))),
        uptime_secs=int(network.clock.boot()),
    )


async def apps(network: FaultyNetwork, home: StateHome, chance: random.Random) -> None:
    """Apps come, go and change."""
    kept = [app for app in home.machine.apps if chance.random() < 0.8]
    ids = {app.id for app in kept}
    new = [name for name in _APPS if name not in ids and chance.random() < 0.3]
    made = [App(id=name, status=chance.choice(_STATUS), version=chance.choice((None, "1.2"))) for name in new]
    kept = [
        msgspec.structs.replace(app, status=chance.choice(_STATUS)) if chance.random() < 0.3 else app
        for app in kept
    ]
    home.machine.apps = (*kept, *made)
    home.service.changed()


async def tor(network: FaultyNetwork, home: StateHome, chance: random.Random) -> None:
    """Its tor says that it is up, or down."""
    home.machine.tor = not home.machine.tor
    home.service.changed()


async def restart(network: FaultyNetwork, home: StateHome, chance: random.Random) -> None:
    """It ends or is killed, and comes back (if not at once, by another such move)."""
    if home.up:
        await home.end(kill=chance.random() < 0.5)
        network.office.counts["ends"] += 1
        if chance.random() < 0.3:
            return
    home.lie = None
    home.start()
    network.office.counts["starts"] += 1


async def clock(network: FaultyNetwork, home: StateHome, chance: random.Random) -> None:
    """Its wall clock is set, right or wrong."""
    home.own_clock.wrong = chance.choice((0.0, chance.uniform(-90, 90), chance.uniform(-(10**7), 10**7)))
    network.office.counts["clock steps"] += 1


async def liar(network: FaultyNetwork, home: StateHome, chance: random.Random) -> None:
    """It begins to lie, or stops."""
    home.lie = None if home.lie is not None else LIES[chance.choice(sorted(LIES))]


async def weather(network: FaultyNetwork, home: StateHome, chance: random.Random) -> None:
    """The network gets better or worse."""
    network.office.weather = a_weather(chance)


def a_weather(chance: random.Random) -> Weather:
    """Any of them, a good one too."""
    bad = chance.choice((0.0, 0.05, 0.15, 0.3))
    odds = [chance.choice((0.0, bad, bad)) for _ in range(5)]
    return Weather(*odds, longest=chance.choice((2.0, 20.0, 80.0)))


async def sync(network: FaultyNetwork, home: StateHome, chance: random.Random) -> None:
    """Its owner does not wait for the next poll (nor for its outcome)."""

    async def ask() -> None:
        try:
            await home.federation.sync(chance.choice([o.name for o in network.people if o is not home]))
        except EnigmaError:
            network.office.counts["syncs that failed"] += 1

    if home.up:
        home.tasks.start("sync", ask())


async def time(network: FaultyNetwork, home: StateHome, chance: random.Random) -> None:
    """It goes on."""
    for _ in range(chance.randrange(1, 6)):
        network.clock.advance(chance.choice((0.5, 1.0, 5.0, 11.0, 61.0)))
        await settle(network)


MOVES: Final[tuple[Move, ...]] = (
    *(gauges, gauges, apps, apps, tor, restart, clock, liar, weather, sync, sync),
    *(time,) * 10,
)


async def play(network: FaultyNetwork, seed: int, moves: int) -> None:
    """So many moves, each judged; raises AssertionError with the moves up to it."""
    chance = random.Random(seed)
    log: list[str] = []
    network.office.weather = a_weather(chance)
    await network.rest()
    try:
        for _ in range(moves):
            home, move = chance.choice(network.people), chance.choice(MOVES)
            log.append(f"{home.number}:{move.__name__}{'(' + home.lie.__name__ + ')' if home.lie else ''}")
            await move(network, home, chance)
            await network.rest()
        log.append("heal")
        await heal(network)
    except AssertionError as error:
        error.add_note(f"seed {seed}, after {len(log)} moves: {' '.join(log[-40:])}")
        raise


async def heal(network: FaultyNetwork) -> None:
    """Everything is well again; after a while everybody shows everybody's newest state."""
    network.office.weather = Weather()
    for home in network.people:
        home.lie = None
        if not home.up:
            home.start()
    for step in _STEPS:
        network.clock.advance(step)
        await network.rest()
        if not network.behind():
            network.office.counts["healed"] += 1
            return
    raise AssertionError(network.behind())


async def played(network: FaultyNetwork, moves: int = 60) -> Counter[str]:
    """A whole history on this network; what happened in it."""
    seed = network.office.seed
    await network.begin()
    try:
        await play(network, seed, moves)
    finally:
        await network.close()
    return network.office.counts + network.judge.counts
