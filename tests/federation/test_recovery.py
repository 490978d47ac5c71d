"""A full disk, or an error of this program, costs one exchange and never a peer's line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import OperationFailed, PeerNotFound, RefusedByPeer, WriteFailed
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.decision import put_node
from enigma_fed.federation.exchange import Exchange
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.rpc.client import Reply
from enigma_fed.wire.join import JoinParams, JoinReply
from enigma_fed.wire.records import Membership, Node, Stage, TrustLevel
from enigma_fed.wire.state import Have, StateAnswer
from tests.support import invitevectors
from tests.support.fakenetwork import Home, Network, pass_time, random_bytes, settle, until
from tests.support.identities import did, key, onion
from tests.support.manualclock import ManualClock
from tests.support.members import incoming, member
from tests.support.memberships import commit

OBSERVER = TrustLevel.OBSERVER


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    network = Network(tmp_path)
    yield network
    await network.close()


async def accepted(inviter: Home, joiner: Home) -> None:
    code = (await inviter.federation.create_invite(OBSERVER, 3600)).code
    assert code is not None
    await joiner.federation.accept_invite(code, OBSERVER, False)


def confirmed(inviter: Home, joiner: Home) -> bool:
    known = inviter.store.node(joiner.did)
    return known is not None and known.confirmed and joiner.node(inviter).confirmed


async def federated(network: Network) -> tuple[Home, Home]:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    await accepted(inviter, joiner)
    await pass_time(network, 5)
    await until(lambda: confirmed(inviter, joiner))
    return inviter, joiner


async def sync(home: Home, ref: str) -> None:
    async with asyncio.timeout(10):
        await home.federation.sync(ref)


async def test_invariant_6_a_removal_that_a_full_disk_stops_half_way_cuts_the_peer(network: Network) -> None:
    inviter, joiner = await federated(network)
    inviter.cuts.clear()
    inviter.disk.broken = True
    with pytest.raises(WriteFailed):
        await inviter.federation.remove("barn")
    assert inviter.cuts == [joiner.did]
    inviter.disk.broken = False


async def test_invariant_6_what_a_peer_answers_that_is_removed_meanwhile_is_not_kept(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    inviter, joiner = await federated(network)
    calling = network.call

    async def removed_meanwhile(caller: Home, *rest: Any) -> Any:
        reply = await calling(caller, *rest)
        if caller is joiner:
            await joiner.federation.remove("attic")
        return reply

    monkeypatch.setattr(network, "call", removed_meanwhile)
    with pytest.raises(PeerNotFound):
        await sync(joiner, "attic")
    assert inviter.did not in joiner.store.observations
    assert joiner.store.membership.nodes.nodes == ()


async def test_a_join_whose_failure_cannot_be_stored_goes_on(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    network.offline.add(inviter.did)
    await accepted(inviter, joiner)
    await until(lambda: joiner.incoming().attempts == 1)
    await settle(network)
    joiner.disk.failures = 1
    with pytest.raises(WriteFailed):
        await sync(joiner, "attic")
    assert (joiner.incoming().attempts, joiner.tasks.failures.total()) == (1, 0)
    network.offline.clear()
    await pass_time(network, 10)
    await until(lambda: confirmed(inviter, joiner))


async def test_a_join_whose_answer_cannot_be_stored_goes_on_more_and_more_slowly(network: Network) -> None:
    inviter, joiner = network.home(1, "attic"), network.home(2, "barn")
    network.offline.add(inviter.did)
    await accepted(inviter, joiner)
    await until(lambda: joiner.incoming().attempts == 1)
    network.offline.clear()
    joiner.disk.broken = True
    calls = joiner.calls
    await pass_time(network, 120)
    assert 3 <= joiner.calls - calls <= 8
    joiner.disk.broken = False
    await pass_time(network, 200, step=5)
    await until(lambda: confirmed(inviter, joiner))


async def test_a_poll_whose_refusal_cannot_be_stored_goes_on(network: Network) -> None:
    inviter, joiner = await federated(network)
    await commit(inviter.store, Membership())
    joiner.disk.failures = 1
    with pytest.raises(WriteFailed):
        await sync(joiner, "attic")
    with pytest.raises(RefusedByPeer, match="unknown-peer"):
        await sync(joiner, "attic")
    assert joiner.node(inviter).they_forgot_us


async def test_an_unexpected_error_ends_no_polling(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    inviter, joiner = await federated(network)

    def fail(*_: object) -> NoReturn:
        raise RuntimeError("broken on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(inviter, "state", fail)
        with pytest.raises(OperationFailed, match="logs"):
            await sync(joiner, "attic")
    await inviter.federation.pause("barn", True)  # a call of the peer would bring the poll forward
    calls = joiner.calls
    await pass_time(network, 2 * limits.OBSERVATIONS_FLUSH + limits.POLL_BACKOFF_MAX, step=30)
    assert 1 <= joiner.calls - calls <= 2  # housekeeping began the line anew
    await sync(joiner, "attic")


async def test_an_owner_who_asks_begins_a_line_anew(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    inviter, joiner = await federated(network)

    def fail(*_: object) -> NoReturn:
        raise RuntimeError("broken on purpose")

    with monkeypatch.context() as patch:
        patch.setattr(inviter, "state", fail)
        async with asyncio.timeout(10):
            await joiner.federation.sync(None)
    await sync(joiner, "attic")
    assert joiner.federation.peer("attic").last_error is None
    assert inviter.node(joiner).stage is Stage.CONFIRMED


async def test_what_polling_learned_is_on_disk_within_half_a_minute(network: Network) -> None:
    """limits.OBSERVATIONS_FLUSH: not with every poll, and not later."""
    _, joiner = await federated(network)
    state = joiner.folder / "federation" / "state.json"
    await pass_time(network, limits.OBSERVATIONS_FLUSH)
    before = state.read_bytes()
    await sync(joiner, "attic")
    await settle(network)
    assert state.read_bytes() == before
    await pass_time(network, limits.OBSERVATIONS_FLUSH)
    assert state.read_bytes() != before


class Crowd:
    """A `PeerCaller` that answers nobody before `gate` opens, and counts who waits."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.waiting = 0
        self.most = 0

    async def _wait(self) -> NoReturn:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.gate.wait()
        self.waiting -= 1
        raise RefusedByPeer("busy")

    async def get_state(self, node: Node, have: Have | None, within: float = 0) -> Reply[StateAnswer]:
        await self._wait()

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> Reply[JoinReply]:
        await self._wait()


async def test_polls_and_joins_together_are_bounded(tmp_path: Path) -> None:
    FederationStore.create(tmp_path / "home")
    store = FederationStore(tmp_path / "home")
    store.open()
    half = limits.POLLS_IN_FLIGHT // 2 + 10
    known = Membership()
    for number in range(1, half + 1):
        known = put_node(known, member(number))
    await commit(store, known)
    clock, crowd = ManualClock(), Crowd()
    home = Federation(store, key(99), onion(99), "attic", clock, random_bytes(1), Tasks(), None, Hooks())
    exchange = Exchange(store, key(99), onion(99), "attic", clock, crowd, home._apply, Hooks())
    code = invitevectors.signed()
    work = [exchange.poll(did(number)) for number in range(1, half + 1)]
    work += [exchange.deliver(incoming(number, code=code)) for number in range(half)]
    outcomes = asyncio.gather(*work)
    await until(lambda: crowd.waiting == limits.POLLS_IN_FLIGHT)
    crowd.gate.set()
    assert len(await outcomes) == 2 * half
    assert crowd.most == limits.POLLS_IN_FLIGHT
