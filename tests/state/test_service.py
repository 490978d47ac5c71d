"""The state service: sampled while somebody asks, one signature per number, nothing blocking."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from enigma_fed.base.tasks import Tasks
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.identity.signing import verify
from enigma_fed.state import service as service_module
from enigma_fed.state.service import PlainResult, StateResult, StateService
from enigma_fed.wire import cbor, strictjson
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import GetStateParams, Have, Unchanged, full_state_from_object, state_signing_input
from tests.support.manualclock import ManualClock

KEY = NodeKey.generate(bytes(range(32)))
EPOCH = b"\x07" * 8


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
        self.tasks = Tasks()
        self.service = StateService(KEY, self.clock, EPOCH, self.sampler, lambda: self.tor, self.tasks)


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


async def test_a_change_of_tor_makes_a_new_number_after_a_second(world: World) -> None:
    await world.service.current()
    world.tor = True
    world.clock.advance(0.5)
    assert (await world.service.current()).seq == 1
    world.clock.advance(0.5)
    state = await world.service.current()
    assert (state.seq, state.snapshot.tor_active) == (2, True)


async def test_who_has_the_current_state_is_told_so(world: World) -> None:
    state = await world.service.current()
    have = Have(state.epoch, state.seq)
    assert await world.service.answer(GetStateParams(have=have)) == Unchanged()
    older = await world.service.answer(GetStateParams(have=Have(state.epoch, 0)))
    ahead = await world.service.answer(GetStateParams(have=Have(state.epoch, 9)))
    foreign = await world.service.answer(GetStateParams(have=Have(b"\0" * 8, state.seq)))
    for answer in (older, ahead, foreign):
        assert isinstance(answer, StateResult)
        assert answer.state == state


@pytest.mark.parametrize("binary", [False, True])
async def test_the_encoded_answer_is_made_once_per_form(world: World, binary: bool) -> None:
    first = await world.service.answer(GetStateParams())
    again = await world.service.answer(GetStateParams())
    assert isinstance(first, StateResult)
    assert isinstance(again, StateResult)
    assert first.encoded(binary=binary) is again.encoded(binary=binary)
    codec = cbor if binary else strictjson
    read = codec.decode(first.encoded(binary=binary), limit=10_000)
    assert full_state_from_object(read, binary=binary) == first.state


async def test_the_rust_agent_gets_the_plain_snapshot_with_a_timestamp(world: World) -> None:
    world.clock.advance(0)
    answer = await world.service.answer(GetStateParams(plain=True))
    assert isinstance(answer, PlainResult)
    assert answer.to_object(binary=False) == {
        "timestamp": "2027-01-15T08:00:00Z",
        "node_name": "attic",
        "apps": [],
        "cpu_usage_percent": 0.1,
        "tor_active": False,
    }


async def test_a_hanging_disk_holds_nobody_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "_SAMPLE_PATIENCE", 0.01)
    world.sampler.gate.clear()
    state = await world.service.current()
    assert (state.seq, state.snapshot) == (1, Snapshot(tor_active=False))
    assert (await world.service.current()).seq == 1
    assert world.sampler.looks == 0
