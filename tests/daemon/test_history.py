"""The history of gauges over whole agents without Tor, and over their files alone."""

from __future__ import annotations

import asyncio

import pytest

from enigma_fed.base.errors import FieldInvalid, PeerNotFound, StoreDamaged
from enigma_fed.config import Settings
from enigma_fed.daemon.history import find_ring
from enigma_fed.daemon.operations import open_operations
from enigma_fed.state import historystore
from enigma_fed.state.history import LONG, SHORT
from enigma_fed.state.historystore import NAME
from enigma_fed.wire.historyview import HistoryView
from tests.support.agents import Build, Home, federate

DAY = 86400


async def without_an_agent(home: Home, ref: str | None) -> HistoryView:
    def ask() -> HistoryView:
        with open_operations(home.paths, home.settings, mutating=False) as node:
            return node.history(ref, 300, DAY)

    return await asyncio.to_thread(ask)


async def remove_without_an_agent(home: Home, ref: str) -> None:
    def ask() -> None:
        with open_operations(home.paths, home.settings, mutating=True) as node:
            node.peer_remove(ref)

    await asyncio.to_thread(ask)


def samples(view: HistoryView) -> int:
    return sum(point.samples for point in view.points)


async def kept(home: Home) -> None:
    """Until its agent has written down its own first sample."""
    for _ in range(6000):
        if home.agent.node._history.counts["flushes"]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing is written")


async def test_what_a_peer_told_is_its_history_with_the_agent_and_after_its_end(build: Build) -> None:
    attic, cellar = build("attic"), build("cellar")
    await attic.start()
    await cellar.start()
    await federate(attic, cellar)
    shown = await attic.ask("history", "cellar", 300, DAY)
    assert (shown.name, shown.resolution_s, shown.problem) == ("cellar", 300, "")
    assert samples(shown) >= 1
    assert shown.points[-1].mem_used_bytes > 0
    assert shown.mem_total_bytes > shown.points[-1].mem_used_bytes
    by_hour = await attic.ask("history", "cellar", 3600, 30 * DAY)
    assert samples(by_hour) >= samples(shown)
    await kept(attic)
    await attic.agent.close()
    assert samples(await without_an_agent(attic, "cellar")) >= samples(shown)
    with pytest.raises(PeerNotFound):
        await without_an_agent(attic, "nobody")


async def test_this_node_has_a_history_too(build: Build) -> None:
    attic = build("attic")
    await attic.start()
    await kept(attic)
    shown = await attic.ask("history", None, 300, DAY)
    assert (shown.name, shown.did) == ("attic", (await attic.ask("identity")).did)
    assert [point.heard for point in shown.points] == [True] * len(shown.points)
    assert shown.points
    assert shown.mem_total_bytes > 0
    await attic.agent.close()
    later = await without_an_agent(attic, None)
    assert later.points[0].at == shown.points[0].at
    assert abs(later.mem_total_bytes - shown.mem_total_bytes) < 2**20


async def test_a_removed_peer_takes_its_history_with_it(build: Build) -> None:
    attic, cellar = build("attic"), build("cellar")
    await attic.start()
    await cellar.start()
    await federate(attic, cellar)
    await kept(attic)
    await attic.ask("peer_remove", "cellar")
    await attic.agent.close()
    assert historystore.look(attic.paths.data_dir) == 1, "this node's own"
    await kept(cellar)
    await cellar.agent.close()
    assert historystore.look(cellar.paths.data_dir) == 2
    await remove_without_an_agent(cellar, "attic")
    assert historystore.look(cellar.paths.data_dir) == 1


async def test_a_damaged_history_hinders_nothing_and_is_told(build: Build) -> None:
    attic, cellar = build("attic"), build("cellar")
    await attic.start()
    await cellar.start()
    await federate(attic, cellar)
    await kept(attic)
    await attic.agent.close()
    (attic.paths.data_dir / NAME).write_bytes(b"garbage")
    with pytest.raises(StoreDamaged, match=r"history\.db is damaged") as refused:
        await without_an_agent(attic, "cellar")
    assert refused.value.exit_code == 7
    assert "sets the file aside and begins it anew" in refused.value.hint
    await attic.start()
    await kept(attic)
    status = await attic.ask("status")
    assert any("history.db was damaged: it is kept as history.db.damaged-" in w for w in status.warnings)
    [peer] = await attic.ask("peer_sync", "cellar")
    assert peer.liveness == "up"
    assert samples(await attic.ask("history", "cellar", 300, DAY)) >= 1


async def test_a_removal_without_an_agent_goes_on_over_a_damaged_history(build: Build) -> None:
    attic, cellar = build("attic"), build("cellar")
    await attic.start()
    await cellar.start()
    await federate(attic, cellar)
    await attic.agent.close()
    (attic.paths.data_dir / NAME).write_bytes(b"garbage")
    await remove_without_an_agent(attic, "cellar")
    with pytest.raises(PeerNotFound):
        await without_an_agent(attic, "cellar")


def test_each_step_goes_back_so_far(settings: Settings) -> None:
    assert find_ring(300, DAY) is SHORT
    assert find_ring(300, 300) is SHORT
    assert find_ring(3600, 30 * DAY) is LONG
    for resolution, since, why, hint in (
        (300, DAY + 1, "at most 24h in steps of 5m", "--resolution 1h"),
        (3600, 30 * DAY + 1, "at most 30d in steps of 1h", ""),
        (300, 299, "at least 5m", "24h, 30m, 7d"),
        (3600, 0, "at least 1h", "24h, 30m, 7d"),
        (300, -DAY, "at least 5m", "24h, 30m, 7d"),
    ):
        with pytest.raises(FieldInvalid, match=f"since must be {why}") as refused:
            find_ring(resolution, since)
        assert hint in refused.value.hint
    with pytest.raises(FieldInvalid, match="resolution must be one of: 300, 3600"):
        find_ring(60, DAY)
