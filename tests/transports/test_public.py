"""The onion for strangers: what may be on it, and what is done to keep it up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, TorControlFailed
from enigma_fed.base.ids import OnionAddress
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.public import OnionEntry, PublicOnion, Upkeep
from enigma_fed.transports.tor.status import PublicPhase, PublicStatus
from tests.support.manualclock import ManualClock

KEY = OnionKey(b"\2" * 32)
REGISTRY = OnionEntry(8443, Endpoint("127.0.0.1", 8444))
RELAY = OnionEntry(8790, Endpoint("127.0.0.1", 8791))
ONION = PublicOnion(KEY, (REGISTRY,))
SOCKS = Endpoint("127.0.0.1", 9050)


class Stage:
    """An Upkeep with a tor that does as it is told, and writes down what it carries."""

    hears_uploads = True
    socks: Endpoint | None = SOCKS

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.statuses: list[PublicStatus] = [PublicStatus()]
        self.upkeep = Upkeep(self.clock, self._reach, self.statuses.append)
        self.carried: list[tuple[PublicOnion | None, bool]] = []
        self.silent: set[int] = set()
        """Virtual ports that do not answer."""
        self.called: list[tuple[int, str]] = []
        self.refusal: TorControlFailed | None = None
        self.has_circuits = True

    async def put_up(self, onion: PublicOnion | None, *, anew: bool) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.carried.append((onion, anew))
        if onion is not None:
            self.upkeep.heard_upload(onion.label)

    async def ask_for(self, onion: OnionAddress) -> None:
        assert onion == KEY.address

    async def may_mend(self) -> bool:
        return self.has_circuits

    async def _reach(self, socks: Endpoint, onion: OnionAddress, port: int, user: str) -> None:
        assert (socks, onion) == (SOCKS, KEY.address)
        self.called.append((port, user))
        if port in self.silent:
            raise ConnectionRefusedError

    async def sees(self, condition: Callable[[PublicStatus], bool]) -> PublicStatus:
        """Wait for a status, the clock running meanwhile."""
        async with asyncio.timeout(20):
            while not condition(self.statuses[-1]):
                self.clock.advance(1)
                await asyncio.sleep(0)
        return self.statuses[-1]

    async def turns(self, times: int, step: float = 5) -> None:
        """Let so many steps of time pass."""
        for _ in range(times):
            self.clock.advance(step)
            for _ in range(10):
                await asyncio.sleep(0)


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    keeping = asyncio.create_task(made.upkeep.keep(made))
    yield made
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


def is_ready(status: PublicStatus) -> bool:
    return status.phase is PublicPhase.READY


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ((), "one service for each"),
        ((REGISTRY, OnionEntry(8443, Endpoint("127.0.0.1", 1))), "one service for each"),
        ((REGISTRY, OnionEntry(80, Endpoint("127.0.0.1", 1))), "never 80"),
        ((OnionEntry(0, Endpoint("127.0.0.1", 1)),), "port of its own"),
        ((OnionEntry(65536, Endpoint("127.0.0.1", 1)),), "port of its own"),
    ],
)
def test_invariant_10_every_service_has_a_port_of_its_own_and_none_that_of_the_rpc(
    entries: tuple[OnionEntry, ...], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        PublicOnion(KEY, entries)


def test_several_services_share_the_onion() -> None:
    onion = PublicOnion(KEY, (REGISTRY, RELAY))
    assert str(onion.address) == f"{onion.label}.onion"
    assert "\\x02" not in repr(onion)


async def test_without_a_service_tor_carries_nothing(stage: Stage) -> None:
    await stage.turns(3)
    assert stage.carried == [(None, False)]
    assert stage.statuses == [PublicStatus()]
    assert not stage.called


async def test_it_is_ready_once_a_service_takes_a_connection_and_is_looked_at_again(stage: Stage) -> None:
    stage.upkeep.change(ONION)
    await stage.sees(is_ready)
    assert stage.carried[-1] == (ONION, False)
    async with asyncio.timeout(20):
        while len(stage.called) < 3:
            await stage.turns(1, limits.SELF_PROBE_INTERVAL / 4)
    ports, users = zip(*stage.called, strict=True)
    assert set(ports) == {8443}
    assert len(set(users)) == len(users)  # each by a circuit of its own
    assert stage.statuses[-1].repairs == 0


async def test_a_service_that_joins_later_is_carried_too(stage: Stage) -> None:
    stage.upkeep.change(ONION)
    await stage.sees(is_ready)
    both = PublicOnion(KEY, (REGISTRY, RELAY))
    stage.upkeep.change(both)
    stage.upkeep.change(both)
    await stage.sees(lambda status: stage.carried[-1] == (both, False))
    await stage.sees(is_ready)
    assert PublicPhase.PUBLISHING in [status.phase for status in stage.statuses[2:]]
    assert stage.carried == [(None, False), (ONION, False), (both, False)]
    stage.upkeep.change(None)
    await stage.sees(lambda status: status.phase is PublicPhase.OFF)
    assert stage.carried[-1] == (None, False)


async def test_one_that_stays_silent_is_told_and_renewed_with_growing_patience(stage: Stage) -> None:
    stage.silent.add(8443)
    stage.upkeep.change(ONION)
    told = await stage.sees(lambda status: status.phase is PublicPhase.SILENT)
    assert "does not reach it" in told.reason
    await stage.sees(lambda status: status.repairs == 1)
    first = stage.clock.boot()
    await stage.sees(lambda status: status.repairs == 2)
    assert stage.clock.boot() - first > 1.5 * limits.ONION_REPAIR_FIRST
    assert [anew for _, anew in stage.carried].count(True) == 2
    stage.silent.clear()
    status = await stage.sees(is_ready)
    assert (status.reason, status.repairs) == ("", 2)


async def test_without_circuits_nothing_is_renewed(stage: Stage) -> None:
    stage.silent.add(8443)
    stage.has_circuits = False
    stage.upkeep.change(ONION)
    await stage.turns(60)
    assert stage.statuses[-1].repairs == 0


async def test_what_tor_refuses_is_told_and_tried_again(stage: Stage) -> None:
    stage.refusal = TorControlFailed("not today")
    stage.upkeep.change(ONION)
    status = await stage.sees(lambda status: status.phase is PublicPhase.SILENT)
    assert "not today" in status.reason
    stage.refusal = None
    await stage.sees(is_ready)


async def test_without_a_socks_port_nothing_is_called(stage: Stage) -> None:
    stage.socks = None
    stage.upkeep.change(ONION)
    await stage.turns(20)
    assert not stage.called


async def test_the_end_of_a_life_takes_it_back_to_publishing() -> None:
    stage = Stage()
    stage.upkeep.change(ONION)
    keeping = asyncio.create_task(stage.upkeep.keep(stage))
    await stage.sees(is_ready)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert stage.statuses[-1].phase is PublicPhase.PUBLISHING


async def test_another_onions_upload_is_not_ours(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is never told holds nothing up for longer than limits.TOR_STALL."""
    monkeypatch.setattr(limits, "TOR_STALL", 0.05)

    async def silently(onion: PublicOnion | None, *, anew: bool) -> None:
        stage.upkeep.heard_upload("x" * 56)

    monkeypatch.setattr(stage, "put_up", silently)
    stage.upkeep.change(ONION)
    await stage.turns(2)
    assert not stage.called
    await stage.sees(is_ready)


async def test_an_upload_that_came_before_anybody_looked_counts() -> None:
    """A tor that starts with the onion in its torrc may be quicker than its agent."""
    stage = Stage()
    stage.upkeep.change(ONION)
    stage.upkeep.heard_upload(ONION.label)

    async def silently(onion: PublicOnion | None, *, anew: bool) -> None:
        return

    stage.put_up = silently  # type: ignore[method-assign]
    keeping = asyncio.create_task(stage.upkeep.keep(stage))
    async with asyncio.timeout(20):
        await stage.sees(is_ready)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
