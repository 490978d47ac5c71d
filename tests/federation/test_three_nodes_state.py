"""Three homes show each other their states over a network that loses, delays, doubles and damages messages.

What must hold stands in tests/support/faultynetwork/judge.py, written from PROTOCOL section 2 alone. The
same in every run; the long, ever different one is in tests/soak/.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import msgspec
import pytest

from enigma_fed.base.errors import EnigmaError
from tests.support.faultynetwork.lies import LIES
from tests.support.faultynetwork.play import heal, played
from tests.support.faultynetwork.world import FaultyNetwork, StateHome


@pytest.fixture
async def calm() -> AsyncIterator[FaultyNetwork]:
    """A good network on which everybody shows everybody's newest state."""
    network = FaultyNetwork(seed=0)
    await network.begin()
    await heal(network)
    yield network
    await network.close()


async def told(network: FaultyNetwork, asker: StateHome, teller: StateHome) -> EnigmaError | None:
    """One poll; what went wrong with it."""
    error: EnigmaError | None = None
    try:
        await asker.federation.sync(teller.name)
    except EnigmaError as raised:
        error = raised
    await network.rest()
    return error


REASONS = {
    "wrong_signature": {"bad-signature"},
    "altered": {"bad-signature"},
    "later_start": {"two-states"},
    "another_number": {"bad-signature"},
    "earlier_state": {"lower-seq"},
    "somebody_elses": {"bad-signature"},
    "unchanged": set(),
    "unchanged_and_more": {"malformed"},
    "wrong_patch": {"bad-signature", "not-asked"},
    "wrong_base": {"wrong-base", "malformed", "not-asked"},
    "number_that_does_not_rise": {"malformed"},
    "patch_of_nonsense": {"malformed"},
    "delta_that_is_none": {"malformed"},
    "result_of_nonsense": {"malformed"},
    "two_of_one_number": {"two-states"},
}
"""By lie, why it is refused: the first time, and when the whole state was asked for."""


def refusals(home: StateHome) -> Counter[str]:
    """The states that it refused, by reason."""
    courier = home.federation._courier
    assert courier is not None
    return courier._exchange.states.refusals


@pytest.mark.parametrize("part", range(4))
async def test_invariant_11_only_what_a_home_signed_is_held_of_it(part: int) -> None:
    for seed in range(part, 10, 4):
        await played(FaultyNetwork(seed))


async def test_the_histories_reach_what_they_are_for() -> None:
    counts = sum([await played(FaultyNetwork(seed), 40) for seed in range(100, 103)], start=Counter[str]())
    wanted = ("lose", "delay", "double", "damage", "swap", "lies", "starts", "clock steps", "full")
    assert all(counts[what] for what in wanted), counts


@pytest.mark.parametrize("name", LIES)
async def test_a_lie_changes_nothing_and_hides_nobody_else(calm: FaultyNetwork, name: str) -> None:
    liar, one, other = calm.people
    for step in range(3):  # so that there are earlier states to come up with
        liar.machine.gauges = msgspec.structs.replace(liar.machine.gauges, uptime_secs=1000 + step)
        calm.clock.advance(11)
        assert await told(calm, one, liar) is None
    before = one.held(liar)
    if name != "two_of_one_number":
        liar.machine.gauges = msgspec.structs.replace(liar.machine.gauges, uptime_secs=2000)
        calm.clock.advance(11)
    liar.lie = LIES[name]
    other.machine.tor = False
    calm.clock.advance(11)
    for _ in range(4):
        error = await told(calm, one, liar)
        assert one.held(liar) == before
        assert (error is None) == (name == "unchanged")
        assert await told(calm, one, other) is None
        assert one.held(other) == other.newest()
    assert REASONS[name] >= set(refusals(one))
    assert bool(refusals(one)) == bool(REASONS[name])
    liar.lie = None
    assert await told(calm, one, liar) is None
    assert one.held(liar) == liar.newest() != before or name == "two_of_one_number"
