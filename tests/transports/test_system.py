"""The machine's tor, with a control port that only plays one: what is asked of it, and what never is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable, TorControlFailed, TorTooOld
from enigma_fed.base.ids import OnionAddress
from enigma_fed.base.tasks import Tasks
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.public import OnionEntry, PublicOnion
from enigma_fed.transports.tor.status import PublicPhase, TorPhase, TorStatus
from enigma_fed.transports.tor.supervision import TorNeeds
from enigma_fed.transports.tor.system import SystemSettings, SystemTor, look
from tests.support.fakecontrol import FakeControl
from tests.support.fakenetwork import until
from tests.support.manualclock import ManualClock

KEY = OnionKey(b"\1" * 32)
LABEL = str(KEY.address).removesuffix(".onion")
TARGET = Endpoint("127.0.0.1", 8786)


class Agent:
    """A SystemTor, its clock, and whether its onion answers."""

    def __init__(self, tor: FakeControl) -> None:
        self.clock = ManualClock()
        self.tasks = Tasks()
        self.answers: bool | None = True
        self.public_answers = True
        self.history: list[TorStatus] = []
        settings = SystemSettings((ControlAccess(tor.endpoint),), lambda: TARGET)
        needs = TorNeeds(self.tasks, self.clock, self._probe, self.history.append, self._reach)
        self.tor = SystemTor(settings, KEY, needs)

    async def _probe(self) -> bool:
        if self.answers is None:
            raise PeerUnreachable
        return self.answers

    async def _reach(self, socks: Endpoint, onion: OnionAddress, port: int, user: str) -> None:
        assert (onion, port) == (STRANGERS.address, 8443)
        if not self.public_answers:
            raise OSError

    async def sees(self, condition: Callable[[TorStatus], bool]) -> TorStatus:
        """Wait for a status, the clock running meanwhile."""
        async with asyncio.timeout(20):
            while not condition(self.tor.status):
                self.clock.advance(5)
                await asyncio.sleep(0.005)
        return self.tor.status


@pytest_asyncio.fixture
async def control(tmp_path: Path) -> AsyncIterator[FakeControl]:
    async with FakeControl(tmp_path / "control") as tor:
        yield tor


@pytest_asyncio.fixture
async def agent(control: FakeControl, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Agent]:
    monkeypatch.setattr(limits, "TOR_STALL", 0.05)  # nobody says that the descriptor is uploaded
    monkeypatch.setattr(limits, "TOR_HEARTBEAT", 0.05)
    made = Agent(control)
    await made.tor.start()
    yield made
    await made.tor.close()
    await made.tasks.close()


def is_ready(status: TorStatus) -> bool:
    return status.ready


async def test_the_onion_is_added_and_nothing_else_is_changed(agent: Agent, control: FakeControl) -> None:
    status = await agent.sees(is_ready)
    assert (status.mode, status.pow) == (TorMode.SYSTEM, True)
    assert agent.tor.socks == Endpoint("127.0.0.1", 9050)
    [line] = control.heard("ADD_ONION")
    assert line.endswith("Port=80,127.0.0.1:8786")
    said = {line.split()[0] for line in control.lines}
    assert said <= {"PROTOCOLINFO", "AUTHENTICATE", "SETEVENTS", "GETINFO", "ADD_ONION", "HSFETCH"}


async def test_a_tor_without_proof_of_work_gets_the_onion_all_the_same(control: FakeControl) -> None:
    control.refusals["PoW"] = '512 Unrecognized keyword argument "PoWDefensesEnabled"'
    agent = Agent(control)
    await agent.tor.start()
    status = await agent.sees(lambda status: status.pow is not None)
    assert status.pow is False
    assert len(control.heard("ADD_ONION")) == 2
    await agent.tor.close()


async def test_a_connection_that_ends_is_noticed_and_everything_comes_back(
    agent: Agent, control: FakeControl
) -> None:
    await agent.sees(is_ready)
    control.drop()
    await until(lambda: agent.tor.status.phase is TorPhase.FAILED)
    assert "was closed; it is tried again" in agent.tor.status.reason
    assert agent.tor.socks is None
    status = await agent.sees(is_ready)
    assert status.restarts == 1
    assert control.onions == {LABEL}


async def test_a_tor_that_hangs_is_noticed_by_its_silence(
    agent: Agent, control: FakeControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """limits.TOR_HEARTBEAT: it is asked so often, and must answer within limits.TOR_CONTROL_DEADLINE."""
    await agent.sees(is_ready)
    monkeypatch.setattr(limits, "TOR_CONTROL_DEADLINE", 0.1)
    control.hangs = True
    await until(lambda: "does not answer" in agent.tor.status.reason)
    control.hangs = False
    assert (await agent.sees(is_ready)).restarts >= 1


async def test_an_onion_that_tor_lost_is_put_back_at_once(agent: Agent, control: FakeControl) -> None:
    await agent.sees(is_ready)
    control.onions.clear()
    await until(lambda: control.onions == {LABEL})
    await until(lambda: agent.tor.status.repairs == 1)
    assert "added again" in agent.tor.status.last_repair
    assert agent.tor.status.restarts == 0


async def test_a_collision_is_said_and_tried_again(agent: Agent, control: FakeControl) -> None:
    control.refusals["ADD_ONION"] = "550 Onion address collision"
    control.drop()
    status = await agent.sees(lambda status: "already" in status.reason)
    assert "HiddenServiceDir" in status.reason
    del control.refusals["ADD_ONION"]
    await agent.sees(is_ready)


async def test_an_onion_that_stays_silent_is_mended_gently_first_then_by_a_new_connection(
    agent: Agent, control: FakeControl
) -> None:
    await agent.sees(is_ready)
    agent.answers = None
    await agent.sees(lambda status: status.repairs == 2)
    assert len(control.heard("DEL_ONION")) == 2
    assert agent.tor.status.restarts == 0
    await agent.sees(lambda status: status.restarts == 1)
    assert agent.tor.status.repairs == 3
    agent.answers = True
    await agent.sees(is_ready)
    assert control.onions == {LABEL}


async def test_where_another_copy_answers_nothing_is_torn_to_and_fro(
    agent: Agent, control: FakeControl
) -> None:
    await agent.sees(is_ready)
    agent.answers = False
    await agent.sees(lambda status: status.phase is TorPhase.PROBING)
    before = agent.clock.boot()
    await agent.sees(lambda status: agent.clock.boot() > before + 20 * limits.ONION_REPAIR_FIRST)
    assert agent.tor.status.repairs == 0
    assert not control.heard("DEL_ONION")


async def test_without_a_network_nothing_is_repaired(agent: Agent, control: FakeControl) -> None:
    await agent.sees(is_ready)
    control.info["status/circuit-established"] = "0"
    agent.answers = None
    await agent.sees(lambda status: "lost its network" in status.reason)
    assert agent.tor.status.repairs == 0


async def test_an_old_tor_is_not_used_and_one_that_is_updated_is(agent: Agent, control: FakeControl) -> None:
    await agent.sees(is_ready)
    control.info["version"] = "0.4.6.12"
    control.drop()
    status = await agent.sees(lambda status: "0.4.6.12" in status.reason and bool(status.reason))
    assert "too old" in status.reason
    control.info["version"] = "0.4.8.13"
    await agent.sees(is_ready)


async def test_a_look_changes_nothing(control: FakeControl) -> None:
    assert await look((ControlAccess(control.endpoint),)) == "0.4.9.11"
    assert not control.heard("ADD_ONION")
    control.info["version"] = "0.4.5.16"
    with pytest.raises(TorTooOld):
        await look((ControlAccess(control.endpoint),))
    control.info |= {"version": "0.4.9.11", "net/listeners/socks": ""}
    with pytest.raises(TorControlFailed, match="no SOCKS port"):
        await look((ControlAccess(control.endpoint),))


async def test_a_look_takes_the_first_place_that_works(control: FakeControl, tmp_path: Path) -> None:
    nobody = ControlAccess(Endpoint.unix(str(tmp_path / "nobody")))
    assert await look((nobody, ControlAccess(control.endpoint))) == "0.4.9.11"
    with pytest.raises(TorControlFailed, match=r"nobody.*; .*nobody"):
        await look((nobody, nobody))


STRANGERS = PublicOnion(OnionKey(b"\2" * 32), (OnionEntry(8443, Endpoint("127.0.0.1", 8444)),))


def public_is_ready(status: TorStatus) -> bool:
    return status.public.phase is PublicPhase.READY


async def test_invariant_10_the_onion_for_strangers_carries_only_what_is_published(
    agent: Agent, control: FakeControl
) -> None:
    await agent.sees(is_ready)
    agent.tor.publish(STRANGERS)
    await agent.sees(public_is_ready)
    assert control.onions == {LABEL, STRANGERS.label}
    peers, strangers = control.heard("ADD_ONION")
    assert [word for word in peers.split() if word.startswith("Port=")] == ["Port=80,127.0.0.1:8786"]
    assert [word for word in strangers.split() if word.startswith("Port=")] == ["Port=8443,127.0.0.1:8444"]
    agent.tor.publish(None)
    await agent.sees(lambda status: status.public.phase is PublicPhase.OFF)
    assert control.onions == {LABEL}
    assert agent.tor.status.ready


async def test_an_onion_for_strangers_that_tor_lost_is_put_back_at_once(
    agent: Agent, control: FakeControl
) -> None:
    await agent.sees(is_ready)
    agent.tor.publish(STRANGERS)
    await agent.sees(public_is_ready)
    control.onions.discard(STRANGERS.label)
    await until(lambda: STRANGERS.label in control.onions)
    await until(lambda: agent.tor.status.public.repairs == 1)
    assert agent.tor.status.repairs == 0


async def test_one_that_stays_silent_is_renewed_and_the_peers_onion_left_alone(
    agent: Agent, control: FakeControl
) -> None:
    await agent.sees(is_ready)
    agent.public_answers = False
    agent.tor.publish(STRANGERS)
    await agent.sees(lambda status: status.public.repairs == 2)
    assert agent.tor.status.public.phase is PublicPhase.SILENT
    assert control.heard("DEL_ONION") == [f"DEL_ONION {STRANGERS.label}"] * 2
    assert agent.tor.status.ready
    assert agent.tor.status.restarts == 0


async def test_a_tor_that_refuses_the_onion_for_strangers_serves_peers_all_the_same(
    agent: Agent, control: FakeControl
) -> None:
    await agent.sees(is_ready)
    control.refusals["Port=8443"] = "550 Onion address collision"
    agent.tor.publish(STRANGERS)
    status = await agent.sees(lambda status: status.public.phase is PublicPhase.SILENT)
    assert "already" in status.public.reason
    assert status.ready
    control.refusals.clear()
    await agent.sees(public_is_ready)


async def test_a_new_connection_gets_both_onions_again(agent: Agent, control: FakeControl) -> None:
    await agent.sees(is_ready)
    agent.tor.publish(STRANGERS)
    await agent.sees(public_is_ready)
    control.drop()
    await until(lambda: agent.tor.status.phase is TorPhase.FAILED)
    assert agent.tor.status.public.phase is PublicPhase.PUBLISHING
    await agent.sees(lambda status: is_ready(status) and public_is_ready(status))
    assert len(control.heard("ADD_ONION")) == 4
