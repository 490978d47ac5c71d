"""Which pauses a poller keeps to: over a restart, after its own outage, and when its owner asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, PeerUnreachable
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.lines import Traffic
from enigma_fed.federation.polling import Poller
from enigma_fed.wire.records import Membership, Node, NodesFile, Observation
from tests.support.fakenetwork import until
from tests.support.identities import did
from tests.support.manualclock import ManualClock
from tests.support.members import member


class Polled:
    """Peers 1 to 3, some of them silent."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.members = {did(number): member(number) for number in (1, 2, 3)}
        self.silent: set[Did] = set()
        self.streaming: set[Did] = set()
        self.polls: list[Did] = []
        self.until: dict[Did, float] = {}
        self.path = True
        self.chance = 0.5
        self.tasks = Tasks()
        self.poller = self.restart()

    def restart(self) -> Poller:
        traffic = Traffic(self.clock, lambda: self.chance, self.tasks, lambda: self.path)
        self.poller = Poller(
            self.poll, self.find, traffic, 60, self.until.__setitem__, self.streaming.__contains__
        )
        return self.poller

    def find(self, who: Did) -> Node | None:
        return self.members.get(who)

    async def poll(self, who: Did) -> EnigmaError | None:
        self.polls.append(who)
        return PeerUnreachable("nobody answers") if who in self.silent else None

    def follow(self, *seen: Observation) -> None:
        known = {each.did: each for each in seen}
        membership = Membership(NodesFile(nodes=tuple(self.members.values())))
        self.poller.follow(membership, known.get)

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def polled() -> AsyncIterator[Polled]:
    polled = Polled()
    yield polled
    await polled.poller.close()
    await polled.tasks.close()


async def test_a_restart_keeps_to_the_pause_of_a_silent_peer_and_spreads_the_others(polled: Polled) -> None:
    polled.silent.add(did(3))
    later = int(polled.clock.wall()) + 1000
    polled.follow(Observation(did=did(3), failures=5, next_poll_at=later))
    await polled.pass_time(14)
    assert polled.polls == []
    await polled.pass_time(1)
    assert set(polled.polls) == {did(1), did(2)}
    assert (polled.poller.next_poll(did(3)) or 0) - polled.clock.boot() == 985
    polled.members = {did(3): polled.members[did(3)]}
    polled.follow()
    await polled.pass_time(984)
    assert len(polled.polls) == 2
    await polled.pass_time(1)
    assert polled.polls[-1] == did(3)
    assert polled.until == {did(3): polled.clock.wall() + 15 * 2**5}, (
        "six failures in a row, told to be stored"
    )


async def test_who_joins_while_the_node_runs_is_polled_at_once(polled: Polled) -> None:
    polled.members = {}
    polled.follow()
    polled.members = {did(1): member(1)}
    polled.follow(Observation(did=did(1), failures=5, next_poll_at=int(polled.clock.wall()) + 1000))
    await polled.pass_time(1)
    assert polled.polls == [did(1)]


async def test_the_owner_who_asks_begins_backing_off_anew(polled: Polled) -> None:
    polled.silent.add(did(1))
    polled.follow(Observation(did=did(1), failures=12, next_poll_at=int(polled.clock.wall()) + 3000))
    assert isinstance(await polled.poller.poll_now(did(1)), PeerUnreachable)
    await until(lambda: polled.poller.next_poll(did(1)) is not None)
    assert (polled.poller.next_poll(did(1)) or 0) - polled.clock.boot() == limits.POLL_BACKOFF_FIRST
    assert isinstance(await polled.poller.poll_now(did(9)), PeerUnreachable)


async def test_who_is_heard_is_polled_soon_after_the_last_try(polled: Polled) -> None:
    polled.silent.add(did(1))
    polled.follow(Observation(did=did(1), failures=12, next_poll_at=int(polled.clock.wall()) + 3000))
    polled.poller.heard(did(1))
    assert polled.poller.next_poll(did(1)) == polled.clock.boot()
    await polled.pass_time(0)
    assert polled.polls == [did(1)]
    polled.poller.heard(did(1))
    assert (polled.poller.next_poll(did(1)) or 0) - polled.clock.boot() == limits.POLL_BACKOFF_FIRST
    polled.poller.heard(did(9))


async def test_what_waited_for_our_own_way_out_does_not_begin_all_at_once(polled: Polled) -> None:
    polled.path = False
    polled.follow()
    await polled.pass_time(60)
    assert polled.polls == []
    polled.path = True
    chances = iter([0.0, 0.5, 0.75])
    polled.poller._traffic = Traffic(polled.clock, lambda: next(chances), polled.tasks, lambda: True)
    polled.poller.wake()
    await until(lambda: len(polled.polls) == 1)
    polled.poller._traffic = Traffic(polled.clock, lambda: 0.5, polled.tasks, lambda: True)
    await polled.pass_time(1)
    assert len(polled.polls) == 2
    await polled.pass_time(0.5)
    assert len(polled.polls) == 3


async def test_a_peer_whose_stream_stands_is_polled_once_an_hour_and_at_once_when_it_ends(
    polled: Polled,
) -> None:
    """limits.STREAM_POLL_INTERVAL."""
    polled.follow()
    await polled.pass_time(60)
    polled.streaming.add(did(1))
    polled.poller.rest(did(1))
    assert (polled.poller.next_poll(did(1)) or 0) - polled.clock.boot() == limits.STREAM_POLL_INTERVAL
    assert (polled.poller.next_poll(did(2)) or 0) - polled.clock.boot() == 60, "the others are not"
    await polled.poller.poll_now(did(1))
    await until(lambda: polled.poller.next_poll(did(1)) is not None)
    assert (polled.poller.next_poll(did(1)) or 0) - polled.clock.boot() == limits.STREAM_POLL_INTERVAL
    before = len(polled.polls)
    polled.streaming.clear()
    polled.poller.resume(did(1))
    await until(lambda: len(polled.polls) == before + 1)
    await until(lambda: polled.poller.next_poll(did(1)) is not None)
    assert (polled.poller.next_poll(did(1)) or 0) - polled.clock.boot() == 60


async def test_a_stream_that_stands_does_not_put_off_a_poll_that_the_owner_waits_for(polled: Polled) -> None:
    polled.follow()
    await polled.pass_time(60)
    before = len(polled.polls)
    asked = asyncio.ensure_future(polled.poller.poll_now(did(1)))
    await asyncio.sleep(0)
    polled.poller.rest(did(1))
    await until(asked.done)
    assert polled.polls[before:] == [did(1)]


async def test_a_peer_that_fails_while_its_stream_stands_is_backed_off_from(polled: Polled) -> None:
    polled.follow()
    await polled.pass_time(60)
    polled.streaming.add(did(1))
    polled.silent.add(did(1))
    await polled.poller.poll_now(did(1))
    await until(lambda: polled.poller.next_poll(did(1)) is not None)
    assert (polled.poller.next_poll(did(1)) or 0) - polled.clock.boot() == limits.POLL_BACKOFF_FIRST


async def test_streams_of_who_is_not_polled_change_nothing(polled: Polled) -> None:
    polled.follow()
    polled.poller.rest(did(9))
    polled.poller.resume(did(9))
    await polled.pass_time(60)
    assert sorted(polled.polls, key=str) == sorted(polled.members, key=str)
