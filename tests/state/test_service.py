"""The state service: sampled while somebody asks or streams, one signature per number, nothing blocking."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from enigma_fed.base import limits
from enigma_fed.base.tasks import Tasks
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.identity.signing import verify
from enigma_fed.state import receiving
from enigma_fed.state import service as service_module
from enigma_fed.state.results import StateResult
from enigma_fed.state.service import StateService
from enigma_fed.wire.snapshot import App, Snapshot
from enigma_fed.wire.state import (
    DeltaAnswer,
    FullState,
    GetStateParams,
    Have,
    StateAnswer,
    Unchanged,
    state_signing_input,
)
from tests.support.manualclock import ManualClock

KEY = NodeKey.generate(bytes(range(32)))
EPOCH = b"\x07" * 8
RUNNING, STOPPED = (App(id="web", status="running"),), (App(id="web", status="stopped"),)


class CountingSampler:
    """Gauges that rise by one with each look; `gate` holds a look back."""

    def __init__(self) -> None:
        self.looks = 0
        self.gate = threading.Event()
        self.gate.set()

    def sample(self, tor_active: bool) -> Snapshot:
        self.gate.wait(10)
        self.looks += 1
        return Snapshot(node_name="attic", cpu_tenths=self.looks, tor_active=tor_active)


class World:
    """A service with everything around it in a test's hands."""

    def __init__(self) -> None:
        self.clock = ManualClock(wall=1_800_000_000.5)
        self.sampler = CountingSampler()
        self.tor = False
        self.apps: tuple[App, ...] = ()
        self.tasks = Tasks()
        self.service = StateService(
            KEY, self.clock, EPOCH, self.sampler, lambda: self.tor, self.tasks, lambda: self.apps
        )

    async def answer(self, have: Have | None) -> StateAnswer:
        """What a caller who has this is answered."""
        result = await self.service.answer(GetStateParams(have=have))
        assert isinstance(result, StateResult)
        return result.answer

    async def turn(self, seconds: float) -> None:
        """Turn the clock when everything has come to rest, and let what this wakes come to rest."""
        await self.rest()
        self.clock.advance(seconds)
        await self.rest()

    async def rest(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
            while self.service._sampling is not None and self.sampler.gate.is_set():
                await asyncio.wait({self.service._sampling})

    async def seq(self) -> int:
        """The newest number, without asking for it."""
        current = self.service._publisher.current
        return 0 if current is None else current.seq


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    yield found
    found.sampler.gate.set()
    await found.tasks.close()


async def test_the_first_question_samples_and_the_signature_holds(world: World) -> None:
    state = await world.service.current()
    assert (state.epoch, state.started, state.seq, state.ts) == (EPOCH, 1_800_000_000, 1, 0)
    assert state.snapshot == Snapshot(node_name="attic", cpu_tenths=1, tor_active=False)
    public_key = KEY.did.public_key
    assert verify(public_key, state_signing_input(public_key, state), state.signature)


async def test_nobody_asks_nothing_is_sampled_and_many_askers_share_one_sample(world: World) -> None:
    assert world.sampler.looks == 0
    await world.service.current()
    world.clock.advance(9.9)
    await world.service.current()
    assert world.sampler.looks == 1
    world.clock.advance(0.1)
    state = await world.service.current()
    assert (world.sampler.looks, state.seq, state.ts) == (2, 2, 10)
    await world.turn(3600)
    assert world.sampler.looks == 2


async def test_a_change_of_an_app_is_published_at_once_and_no_gauge_is_read_for_it(world: World) -> None:
    world.service.changed()
    assert await world.seq() == 0
    await world.service.current()
    await world.turn(1)
    world.apps = RUNNING
    world.service.changed()
    assert await world.seq() == 2
    state = await world.service.current()
    assert (state.snapshot.apps, state.snapshot.cpu_tenths, world.sampler.looks) == (RUNNING, 1, 1)
    assert world.clock.sleepers == 0


async def test_what_changes_within_a_second_comes_with_one_number(world: World) -> None:
    """limits.STATE_GAP: a flapping tor or app costs no signatures."""
    await world.service.current()
    await world.turn(0.25)
    for apps in (RUNNING, STOPPED, RUNNING):
        world.apps, world.tor = apps, not world.tor
        world.service.changed()
        await world.rest()
    assert (await world.seq(), world.clock.sleepers) == (1, 1)
    await world.turn(limits.STATE_GAP - 0.26)
    assert await world.seq() == 1
    await world.turn(0.01)
    assert await world.seq() == 2
    state = await world.service.current()
    assert (state.snapshot.apps, state.snapshot.tor_active) == (RUNNING, True)


async def test_what_changed_back_within_the_second_makes_no_number(world: World) -> None:
    await world.service.current()
    world.apps = RUNNING
    world.service.changed()
    world.apps = ()
    await world.turn(limits.STATE_GAP)
    assert await world.seq() == 1
    assert world.service.statistics["published"] == 1


async def test_new_gauges_wait_for_the_second_too(world: World) -> None:
    await world.service.current()
    await world.turn(9.5)
    world.tor = True
    world.service.changed()
    await world.turn(0.5)
    assert (await world.service.current()).seq == 2
    assert (await world.seq(), world.sampler.looks) == (2, 2)
    await world.turn(0.5)
    assert await world.seq() == 3


async def test_a_change_of_tor_that_nobody_told_is_seen_at_the_next_question(world: World) -> None:
    await world.service.current()
    world.tor = True
    await world.turn(limits.STATE_GAP)
    state = await world.service.current()
    assert (state.seq, state.snapshot.tor_active) == (2, True)


async def test_apps_are_sorted_and_no_more_than_peers_take(world: World) -> None:
    world.apps = tuple(App(id=f"{number:03}", status="x") for number in reversed(range(600)))
    state = await world.service.current()
    assert [app.id for app in state.snapshot.apps] == [f"{n:03}" for n in range(limits.APPS_PER_STATE)]


async def test_who_has_an_older_state_gets_a_delta_that_makes_the_newest_of_it(world: World) -> None:
    held: list[FullState] = []
    for seconds in range(5):
        world.apps = RUNNING if seconds % 2 else STOPPED
        world.clock.advance(10)
        held.append(await world.service.current())
    newest = held[-1]
    for state in held[:-1]:
        answer = await world.answer(Have(EPOCH, state.seq))
        assert isinstance(answer, DeltaAnswer)
        assert receiving.receive(state, answer, KEY.did, verify) == newest
    assert await world.answer(Have(EPOCH, newest.seq)) == Unchanged()


async def test_whenever_there_is_a_doubt_the_answer_is_the_full_state(world: World) -> None:
    for _ in range(limits.STATES_REMEMBERED + 1):
        newest = await world.service.current()
        world.clock.advance(10)
    newest = await world.service.current()
    known = newest.seq - limits.STATES_REMEMBERED + 1
    assert isinstance(await world.answer(Have(EPOCH, known)), DeltaAnswer)
    for have in (None, Have(EPOCH, known - 1), Have(EPOCH, newest.seq + 1), Have(bytes(8), newest.seq)):
        assert await world.answer(have) == newest
    assert world.service.statistics == Counter(delta=1, full=4, published=newest.seq)


async def test_a_delta_that_is_no_shorter_than_the_state_is_not_sent(world: World) -> None:
    world.apps = RUNNING
    first = await world.service.current()
    world.apps = tuple(App(id=f"{number:0128}", status="x" * 128, version="1" * 128) for number in range(512))
    world.clock.advance(10)
    newest = await world.service.current()
    assert await world.answer(Have(EPOCH, first.seq)) == newest
    for binary in (False, True):
        result = await world.service.answer(GetStateParams(have=Have(EPOCH, first.seq)))
        assert len(result.encoded(binary=binary)) < limits.REPLY_BYTES - 100


@pytest.mark.parametrize("binary", [False, True])
async def test_a_result_is_made_once_for_all_who_have_the_same(world: World, binary: bool) -> None:
    await world.service.current()
    world.clock.advance(10)
    for have in (None, Have(EPOCH, 1), Have(EPOCH, 2)):
        params = GetStateParams(have=have)
        first, again = await world.service.answer(params), await world.service.answer(params)
        assert first.encoded(binary=binary) is again.encoded(binary=binary)
    old = await world.service.answer(GetStateParams(have=None))
    world.clock.advance(10)
    assert await world.service.answer(GetStateParams(have=None)) is not old


@pytest.mark.parametrize("params", [{}, {"since": "2026-01-01T00:00:00Z"}, {"since": 7}])
async def test_the_rust_agent_gets_the_plain_snapshot_with_a_timestamp(
    world: World, params: dict[str, object]
) -> None:
    asked = GetStateParams.from_object(params, binary=False)
    answer = await world.service.answer(asked)
    assert answer.to_object(binary=False) == {
        "timestamp": "2027-01-15T08:00:00Z",
        "node_name": "attic",
        "apps": [],
        "cpu_usage_percent": 0.1,
        "tor_active": False,
    }
    assert await world.service.answer(asked) is answer
    world.clock.advance(10)
    later = await world.service.answer(asked)
    assert later.to_object(binary=False) != answer.to_object(binary=False)
    assert world.service.statistics["plain"] == 3


async def test_a_hanging_disk_holds_nobody_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "_SAMPLE_PATIENCE", 0.01)
    world.sampler.gate.clear()
    state = await world.service.current()
    assert (state.seq, state.snapshot) == (1, Snapshot(tor_active=False))
    await world.turn(limits.STATE_GAP)
    world.tor = True
    world.service.changed()
    assert (await world.service.current()).seq == 2
    monkeypatch.setattr(service_module, "_SAMPLE_PATIENCE", 5)
    world.clock.advance(600)
    async with asyncio.timeout(2):
        assert (await world.service.current()).seq == 2
    assert world.sampler.looks == 0
    world.sampler.gate.set()
    await world.rest()
    assert (await world.service.current()).snapshot.cpu_tenths == 1


async def test_gauges_are_read_at_their_interval_while_somebody_streams(world: World) -> None:
    with world.service.streaming(), world.service.streaming():
        await world.rest()
        assert (world.sampler.looks, world.service.streams) == (1, 2)
        for looks in range(2, 6):
            await world.turn(limits.STATE_SAMPLE_INTERVAL)
            assert world.sampler.looks == looks
    assert world.service.streams == 0
    await world.turn(3600)
    assert world.sampler.looks == 5
    with world.service.streaming():
        await world.rest()
        assert world.sampler.looks == 6


async def test_a_stream_that_ends_and_one_that_begins_at_once_read_no_gauges_twice(world: World) -> None:
    for _ in range(3):
        with world.service.streaming():
            await world.rest()
    with world.service.streaming():
        await world.rest()
        await world.turn(limits.STATE_SAMPLE_INTERVAL)
    assert world.sampler.looks == 2


async def test_a_reader_waits_for_what_is_newer_and_gets_all_of_it_in_one(world: World) -> None:
    first = await world.service.after(None)
    assert isinstance(first.answer, FullState)
    have = Have(EPOCH, first.answer.seq)
    waiting = [asyncio.create_task(world.service.after(have)) for _ in range(3)]
    await world.turn(1)
    assert not any(task.done() for task in waiting)
    world.tor = True
    world.service.changed()
    seconds = await asyncio.gather(*waiting)
    assert len(set(map(id, seconds))) == 1
    assert isinstance(seconds[0].answer, DeltaAnswer)
    assert seconds[0].seq == 2
    for apps in (RUNNING, STOPPED):
        world.apps = apps
        world.service.changed()
        await world.turn(1)
    late = await world.service.after(have)
    assert isinstance(late.answer, DeltaAnswer)
    state = receiving.receive(first.answer, late.answer, KEY.did, verify)
    assert (state.seq, state.snapshot.apps, state.snapshot.tor_active) == (4, STOPPED, True)


async def test_frames_follow_each_other_without_a_gap(world: World) -> None:
    held = None
    with world.service.streaming():
        for turn in range(1, 2 * limits.STATES_REMEMBERED):
            result = await world.service.after(None if held is None else Have(EPOCH, held.seq))
            held = receiving.receive(held, result.answer, KEY.did, verify, epoch=EPOCH)
            assert held.seq == turn
            world.tor = not world.tor
            await world.turn(1)
            world.service.changed()
    assert world.service.statistics["full"] == 1
