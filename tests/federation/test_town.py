"""Many peers: what a round of polls costs does not grow with their number, and silent ones hold up nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.federation.decision import put_node
from enigma_fed.wire.records import Observation
from tests.support.fakenetwork import until
from tests.support.memberships import commit
from tests.support.town import Peer, Town

Open = Callable[..., Awaitable[Town]]


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Open]:
    opened: list[Town] = []

    async def build(peers: int, apps: int = 2) -> Town:
        town = Town(tmp_path / "home", peers, apps=apps)
        opened.append(town)
        await town.open()
        return town

    yield build
    for each in opened:
        each.give_up()
        await each.close()


async def test_a_thousand_peers_are_polled_once_an_interval_each(town: Open) -> None:
    home = await town(1000)
    await home.pass_time(80, step=2)
    home.polls.clear()
    home.disk.reads = 0
    home.disk.written.clear()
    home.change()
    await home.pass_time(60, step=2)
    counts = Counter(home.polls)
    assert set(counts.values()) <= {1, 2}
    assert len(counts) >= 900
    views = home.federation.peers()
    assert {view.liveness for view in views} == {"up"}
    assert home.disk.reads <= 2 * 4, "only the housekeeping looks whether a file was damaged"
    assert set(home.disk.written) == {"state.json"}, "no poll touches nodes.json"


async def test_invariant_7_a_poll_that_tells_nothing_new_touches_no_disk(town: Open) -> None:
    home = await town(3)
    await home.pass_time(40)
    home.disk.reads = 0
    home.disk.written.clear()
    for _ in range(5):
        home.change()
        await home.federation.sync(None)
    assert (home.disk.reads, home.disk.written) == (0, {})


async def test_invariant_7_a_peer_that_calls_itself_anew_in_each_answer_writes_nodes_json_slowly(
    town: Open,
) -> None:
    home = await town(1)
    await home.pass_time(40)
    (peer,) = home.peers.values()
    home.disk.written.clear()
    for number in range(20):
        peer.name = f"name {number}"
        peer.change()
        await home.federation.sync(str(peer.key.did))
        name = home.store.observations[peer.key.did].state
        assert name is not None
        assert name.snapshot.node_name == f"name {number}", "what it says is shown all the same"
    node = home.store.node(peer.key.did)
    assert node is not None
    assert node.name == "name 0"
    await home.pass_time(limits.RENAME_INTERVAL, step=30)
    await home.federation.sync(str(peer.key.did))
    node = home.store.node(peer.key.did)
    assert node is not None
    assert node.name == "name 19"


async def test_invariant_7_silent_peers_do_not_stop_the_others(town: Open) -> None:
    """A hundred peers, silent since before the start, that keep every call for as long as they may."""
    home = await town(120)
    silent = list(home.peers)[:100]
    for who in silent:
        home.store.observe(Observation(did=who, failures=3))
    await home.store.flush()
    await home.die()
    home.silent.update(silent)
    home.start()
    home.polls.clear()
    await home.pass_time(30)
    assert home.under_way == limits.POLLS_OF_SILENT
    for _ in range(3):
        home.polls.clear()
        await home.pass_time(66)
        assert set(home.polls) == home.peers.keys() - home.silent, "the others on time, and only they"
    home.give_up()
    await until(lambda: home.under_way == limits.POLLS_OF_SILENT, "the next of the silent ones")


async def test_invariant_7_peers_that_are_heard_and_do_not_answer_do_not_stop_the_others(town: Open) -> None:
    """They ping on streams of ours all the time, and keep every call of ours for as long as they may."""
    home = await town(120)
    await home.pass_time(40)
    home.silent.update(list(home.peers)[:100])
    home.give_up()
    await home.pass_time(66)
    for _ in range(3):
        home.give_up()
        for who in home.silent:
            home.federation.heard(who)
        await home.pass_time(16)
    assert home.under_way == limits.POLLS_OF_SILENT
    home.polls.clear()
    await home.pass_time(66)
    assert home.peers.keys() - home.silent <= set(home.polls)


async def test_a_restart_of_everybody_is_spread(town: Open) -> None:
    home = await town(1000)
    await home.die()
    home.start()
    home.polls.clear()
    counts = []
    for _ in range(10):
        before = len(home.polls)
        await home.pass_time(5, step=1)
        counts.append(len(home.polls) - before)
    assert sum(counts) >= 1000
    assert max(counts) <= 2 * 1000 / 10


async def test_a_crash_loses_no_pause_of_a_silent_peer(town: Open) -> None:
    home = await town(5)
    who = next(iter(home.peers))
    home.silent.add(who)
    for _ in range(12):
        await home.pass_time(40)
        home.give_up()
        await home.rest()
    await home.pass_time(limits.OBSERVATIONS_FLUSH)
    due = home.federation.peer(str(who)).next_poll_at
    await home.die()
    home.hands.advance(5)
    home.start()
    view = home.federation.peer(str(who))
    assert view.next_poll_at == due
    assert "polls failed: nobody answers" in view.liveness_reason
    home.polls.clear()
    await home.pass_time(60)
    assert who not in home.polls


async def test_a_new_member_among_many_is_polled_at_once(town: Open) -> None:
    home = await town(500)
    await home.pass_time(40, step=2)
    peer = Peer(9999, 2)
    home.peers[peer.key.did] = peer
    await commit(home.store, put_node(home.store.membership, peer.node))
    home.federation._follow()
    home.polls.clear()
    await home.pass_time(2)
    assert peer.key.did in home.polls


async def test_invariant_7_an_owner_who_asks_everybody_does_not_let_silent_peers_stop_the_others(
    town: Open,
) -> None:
    home = await town(100)
    silent = list(home.peers)[:70]
    for who in silent:
        home.store.observe(Observation(did=who, failures=3))
    home.silent.update(silent)
    asked = asyncio.create_task(home.federation.sync(None))
    await until(lambda: home.answers == 30, "everybody else answers")
    assert home.under_way == limits.POLLS_OF_SILENT
    home.silent.clear()
    while not asked.done():
        home.give_up()
        await asyncio.sleep(0)
    assert {view.liveness for view in await asked} == {"up"}


async def test_a_silent_peer_that_the_owner_names_does_not_wait_behind_the_others(town: Open) -> None:
    home = await town(100)
    silent = list(home.peers)[:70]
    for who in silent:
        home.store.observe(Observation(did=who, failures=3))
    home.silent.update(silent)
    everybody = asyncio.create_task(home.federation.sync(None))
    await until(
        lambda: home.answers == 30, "everybody else answers, and the silent ones wait for their share"
    )
    named = next(who for who in reversed(silent) if who not in home.polls)
    home.silent.discard(named)
    async with asyncio.timeout(30):
        (view,) = await home.federation.sync(str(named))
    assert (view.liveness, home.under_way) == ("up", limits.POLLS_OF_SILENT)
    home.silent.clear()
    while not everybody.done():
        home.give_up()
        await asyncio.sleep(0)
    await everybody
