"""Three homes stream their states through a middle that breaks, loses, doubles, swaps and damages frames.

The judge is that of test_three_nodes_state.py: it sees every frame as its home sent it, and after each step
what everybody holds and shows. The long run is in tests/soak/.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import msgspec
import pytest

from enigma_fed.base import limits
from enigma_fed.federation.subscriptions import Subscriptions
from enigma_fed.wire.snapshot import App
from tests.support.faultynetwork.lies import LIES
from tests.support.faultynetwork.play import heal, played
from tests.support.faultynetwork.streamed import StreamedNetwork
from tests.support.faultynetwork.world import StateHome


@pytest.fixture
async def calm() -> AsyncIterator[StreamedNetwork]:
    """A good network on which everybody has a stream of everybody."""
    network = StreamedNetwork(seed=0)
    await network.begin()
    await heal(network)
    for _ in range(limits.POLL_INTERVAL):
        network.clock.advance(1)
        await network.rest()
        if all(streams(home).open == 2 for home in network.people):
            break
    yield network
    await network.close()


def streams(home: StateHome) -> Subscriptions:
    assert home.federation.streams is not None
    return home.federation.streams


async def later(network: StreamedNetwork, seconds: float) -> None:
    """So many seconds on, everybody at rest before and after."""
    await network.rest()
    network.clock.advance(seconds)
    await network.rest()


async def test_invariant_11_no_frame_shows_what_its_home_did_not_sign() -> None:
    counts = sum([await played(StreamedNetwork(seed), 60) for seed in range(3)], start=Counter[str]())
    assert all(counts[what] for what in ("streams", "frames", "starts", "delta", "full")), counts
    assert sum(counts[what] for what in ("broken", "double", "damage", "swap")) > 0, counts
    assert counts["healed"] == 3


async def test_what_changes_comes_by_the_stream_and_polls_rest(calm: StreamedNetwork) -> None:
    one, two, three = calm.people
    unchanged = calm.judge.counts["unchanged"]
    for step in range(5):
        one.machine.apps = (App(id="bitcoin", status=f"step {step}"),)
        one.service.changed()
        await later(calm, limits.STATE_GAP)
        assert two.held(one) == three.held(one) == one.newest()
    assert calm.judge.counts["unchanged"] == unchanged, "nobody asked"


@pytest.mark.parametrize("name", sorted(set(LIES) - {"two_of_one_number"}))
async def test_a_lie_on_a_stream_ends_it_and_changes_nothing(calm: StreamedNetwork, name: str) -> None:
    liar, one, other = calm.people
    for step in range(3):
        liar.machine.gauges = msgspec.structs.replace(liar.machine.gauges, uptime_secs=1000 + step)
        await later(calm, limits.STATE_SAMPLE_INTERVAL)
    before = one.held(liar)
    assert before == liar.newest()
    liar.lie = LIES[name]
    liar.machine.apps = (App(id="bitcoin", status="running"),)
    liar.service.changed()
    await later(calm, limits.STATE_GAP)
    assert {"mismatch", "malformed"} & set(streams(one).ends)
    assert one.held(liar) in (before, liar.newest()), "what a poll told in full since, if anything"
    other.machine.apps = (App(id="lnd", status="running"),)
    other.service.changed()
    await later(calm, limits.STATE_GAP)
    assert one.held(other) == other.newest(), "others are seen as before"
    liar.lie = None
    await heal(calm)
