"""The states of peers: what is asked, kept, refused and counted (PROTOCOL section 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable, StateRefused, UnsignedReply
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.federation.decision import Decide, put_node
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.states import PeerStates
from enigma_fed.federation.store import FederationStore
from enigma_fed.rpc.client import Reply
from enigma_fed.wire.join import JoinParams, JoinReply
from enigma_fed.wire.records import Membership, Node
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState, Have, StateAnswer, Unchanged
from enigma_fed.wire.statedelta import Patch
from tests.state.test_receiving import delta, state
from tests.support.identities import did
from tests.support.manualclock import ManualClock
from tests.support.members import member
from tests.support.memberships import commit

T = TypeVar("T")
LIE = Patch(cpu_tenths=999)


class Peer:
    """Says what a test wants it to, and notes what it was asked."""

    def __init__(self) -> None:
        self.answers: list[StateAnswer | Exception] = []
        self.asked: list[Have | None] = []
        self.within: list[float] = []
        self.clock = ManualClock()
        self.takes = 0.0
        """Seconds until it answers."""

    async def get_state(self, node: Node, have: Have | None, within: float = 0) -> Reply[StateAnswer]:
        self.asked.append(have)
        self.within.append(within)
        self.clock.advance(self.takes)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer, 0.25, 3)

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> Reply[JoinReply]:
        raise NotImplementedError


class World:
    """A store with one member, and its states."""

    def __init__(self, folder: Path) -> None:
        FederationStore.create(folder)
        self.store = FederationStore(folder)
        self.store.open()
        self.peer = Peer()
        self.clock = self.peer.clock
        self.states = PeerStates(self.store, self.clock, self.peer, self._apply, Hooks(cut=lambda did: None))
        self.node = member(1)

    async def _apply(self, decide: Decide[T]) -> T:
        decision, _ = await self.store.transact(decide)
        return decision.result

    async def poll(self, *answers: StateAnswer | Exception) -> list[Have | None]:
        """One poll with these answers; what was asked."""
        self.peer.answers, self.peer.asked = list(answers), []
        await self.states.poll(self.node)
        return self.peer.asked

    async def refused(self, *answers: StateAnswer | Exception) -> str:
        """The reason why a poll with these answers fails."""
        with pytest.raises(StateRefused) as caught:
            await self.poll(*answers)
        return caught.value.reason

    @property
    def held(self) -> FullState | None:
        return self.states.held(self.node.did)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    found = World(tmp_path)
    await commit(found.store, put_node(Membership(), found.node))
    yield found
    await found.store.close()


def have(seq: int, epoch: int = 1) -> Have:
    return Have(bytes([epoch]) * 8, seq)


async def test_the_state_held_is_named_and_a_delta_makes_the_next(world: World) -> None:
    assert await world.poll(state(5)) == [None]
    assert await world.poll(delta(state(5), state(6, snapshot=Snapshot(cpu_tenths=1)))) == [have(5)]
    assert world.held == state(6, snapshot=Snapshot(cpu_tenths=1))
    assert await world.poll(Unchanged()) == [have(6)]
    assert world.held is not None
    seen = world.store.observations[did(1)]
    assert (seen.latency_ms, seen.skew_s, seen.last_seen) == (250.0, 3, 1_800_000_000)
    assert world.states.refusals == Counter()


async def test_after_a_mismatch_the_whole_state_is_asked_for_at_once(world: World) -> None:
    await world.poll(state(5))
    assert await world.poll(delta(state(5), state(6), patch=LIE), state(6)) == [have(5), None]
    assert world.held == state(6)
    assert world.states.refusals == Counter({"bad-signature": 1})
    assert await world.poll(delta(state(6), state(7))) == [have(6)]
    assert world.states.takes_deltas(did(1))


async def test_invariant_7_both_questions_together_take_no_longer_than_one_may(world: World) -> None:
    """limits.CALL_TIMEOUT: so long a slot is held at most."""
    await world.poll(state(5))
    world.peer.takes, world.peer.within = limits.CALL_TIMEOUT - 2, []
    await world.poll(delta(state(5), state(6), patch=LIE), state(6))
    assert world.peer.within == [limits.CALL_TIMEOUT, 2]


async def test_no_second_question_when_the_first_took_all_the_time(world: World) -> None:
    await world.poll(state(5))
    world.peer.takes = limits.CALL_TIMEOUT
    assert await world.refused(delta(state(5), state(6), patch=LIE)) == "bad-signature"
    world.peer.takes = 0
    assert await world.poll(state(6)) == [None]


async def test_after_a_mismatch_a_peer_that_is_gone_is_asked_for_the_whole_later(world: World) -> None:
    await world.poll(state(5))
    with pytest.raises(PeerUnreachable):
        await world.poll(delta(state(5), state(6), patch=LIE), PeerUnreachable())
    assert world.held == state(5)
    assert world.states.refused(did(1)) == "bad-signature", "the one held is not the newest"
    assert await world.poll(state(6)) == [None]
    assert world.states.refused(did(1)) is None
    assert await world.poll(Unchanged()) == [have(6)]


async def test_invariant_11_a_second_mismatch_is_an_error_and_ends_the_deltas_of_the_epoch(
    world: World,
) -> None:
    await world.poll(state(5))
    lie = delta(state(5), state(6), patch=LIE)
    assert await world.refused(lie, state(6, number=2)) == "bad-signature"
    assert (world.held, world.peer.asked) == (state(5), [have(5), None])
    assert not world.states.takes_deltas(did(1))
    assert await world.poll(state(6)) == [None]
    assert await world.poll(state(7)) == [None]
    assert await world.refused(delta(state(7), state(8))) == "not-asked"
    assert await world.poll(state(1, epoch=2)) == [None]
    assert await world.poll(Unchanged()) == [have(1, epoch=2)]
    assert world.states.refusals == Counter({"bad-signature": 2, "not-asked": 1})


async def test_invariant_11_a_mismatch_much_later_in_the_epoch_is_the_second_one(world: World) -> None:
    await world.poll(state(5))
    await world.poll(delta(state(5), state(6), base=4), state(6))
    for seq in range(6, 20):
        await world.poll(delta(state(seq), state(seq + 1)))
    assert await world.refused(delta(state(20), state(21), patch=LIE)) == "bad-signature"
    assert (world.held, world.peer.asked) == (state(20), [have(20)])
    assert world.states.refusals == Counter({"wrong-base": 1, "bad-signature": 1})


async def test_what_breaks_the_format_is_a_mismatch_too(world: World) -> None:
    malformed = StateRefused("malformed", "x")
    await world.poll(state(5))
    assert await world.poll(malformed, state(6)) == [have(5), None]
    assert await world.refused(malformed) == "malformed"
    assert (world.held, world.states.refusals) == (state(6), Counter({"malformed": 2}))


async def test_an_answer_that_proves_nothing_is_counted_and_is_no_mismatch(world: World) -> None:
    await world.poll(state(5))
    for _ in range(3):
        with pytest.raises(UnsignedReply):
            await world.poll(UnsignedReply("no signature"))
    assert await world.poll(Unchanged()) == [have(5)]
    assert world.states.refusals == Counter(unsigned=3)


async def test_a_refused_state_without_a_base_is_not_asked_for_twice(world: World) -> None:
    assert await world.refused(state(5, number=2)) == "bad-signature"
    assert (world.held, world.peer.asked) == (None, [None])


async def test_an_answer_that_a_stream_overtook_takes_nothing_back(world: World) -> None:
    await world.poll(state(5))
    late = delta(state(5), state(6))
    overtaking = world.peer.get_state

    async def slow(node: Node, have: Have | None, within: float) -> Any:
        reply = await overtaking(node, have, within)
        await world.states.take_frame(world.node, state(5), state(9), state(9).epoch)
        return reply

    world.peer.get_state = slow  # type: ignore[method-assign]
    await world.poll(late)
    assert world.held == state(9)


async def test_a_late_answer_of_an_older_epoch_forgives_nothing(world: World) -> None:
    await world.poll(state(5))
    newer = state(1, epoch=2)
    answering = world.peer.get_state

    async def slow(node: Node, have: Have | None, within: float) -> Any:
        reply = await answering(node, have, within)
        await world.states.take_frame(world.node, None, newer, newer.epoch)
        for _ in range(2):
            with pytest.raises(StateRefused):
                await world.states.take_frame(world.node, newer, state(2, number=2, epoch=2), newer.epoch)
        return reply

    world.peer.get_state = slow  # type: ignore[method-assign]
    await world.poll(Unchanged())
    assert world.held == newer
    assert not world.states.takes_deltas(did(1))


async def test_frames_follow_each_other_and_count_as_heard(world: World) -> None:
    world.clock.advance(7)
    first = await world.states.take_frame(world.node, None, state(5), state(5).epoch)
    world.clock.advance(7)
    second = await world.states.take_frame(world.node, first, delta(state(5), state(6)), state(5).epoch)
    assert (second, world.held) == (state(6), state(6))
    assert world.store.observations[did(1)].last_seen == 1_800_000_014


async def test_a_stream_that_begins_in_a_new_epoch_brings_it(world: World) -> None:
    await world.poll(state(5))
    newer = state(1, epoch=2)
    assert await world.states.take_frame(world.node, None, newer, newer.epoch) == newer
    assert world.held == newer


@pytest.mark.parametrize(
    ("answer", "epoch", "reason"),
    [
        (delta(state(5), state(6), patch=LIE), 1, "bad-signature"),
        (delta(state(5), state(6), base=4), 1, "wrong-base"),
        (state(4), 1, "lower-seq"),
        (state(1, epoch=2), 1, "old-epoch"),
        (state(6), 2, "old-epoch"),
    ],
)
async def test_invariant_11_a_frame_that_does_not_hold_changes_nothing(
    world: World, answer: StateAnswer, epoch: int, reason: str
) -> None:
    await world.poll(state(5))
    with pytest.raises(StateRefused) as caught:
        await world.states.take_frame(world.node, world.held, answer, bytes([epoch]) * 8)
    assert caught.value.reason == reason
    assert (world.held, world.states.refusals) == (state(5), Counter({reason: 1}))
    assert world.states.have(did(1)) is None


async def test_nothing_is_remembered_of_who_is_no_member(world: World) -> None:
    world.node = member(2)
    with pytest.raises(StateRefused):
        await world.states.take_frame(world.node, None, state(5, number=2), state(5).epoch)
    assert world.states.refusals == Counter({"bad-signature": 1})
    assert world.states._distrusts == world.states._refused_of == {}
