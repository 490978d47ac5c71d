"""Windows are told in UTC, as summer time has it now."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest

from enigma_fed.base.errors import EnigmaError, FieldInvalid
from enigma_fed.config import Settings
from enigma_fed.daemon.announcement import Announcement
from enigma_fed.wire.windows import Window
from tests.support.agents import Build, federate
from tests.support.fakenetwork import until
from tests.support.manualclock import ManualClock

KEY = "node.offline_windows"
SUMMER_BEGINS = 1_774_746_000
"""2026-03-29T01:00:00Z, in Paris."""


def with_windows(settings: Settings, windows: str) -> Settings:
    return dataclasses.replace(settings, node=dataclasses.replace(settings.node, offline_windows=windows))


@pytest.fixture
def paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualClock]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield ManualClock(wall=SUMMER_BEGINS - 3600.0)
    monkeypatch.undo()
    time.tzset()


def test_what_is_told_follows_summer_time(paris: ManualClock) -> None:
    announcement = Announcement("23:00-07:00", paris)
    assert announcement.in_utc() == (Window(22 * 60, 6 * 60),)
    paris.advance(3600)
    assert announcement.in_utc() == (Window(21 * 60, 5 * 60),)


def test_another_setting_is_told_from_now_on(paris: ManualClock) -> None:
    announcement = Announcement("", paris)
    assert announcement.in_utc() == ()
    assert announcement.change("00:30-01:30")
    assert not announcement.change("00:30-01:30")
    assert announcement.in_utc() == (Window(23 * 60 + 30, 30),)
    with pytest.raises(FieldInvalid):
        announcement.change("at night")
    assert announcement.in_utc() == (Window(23 * 60 + 30, 30),)


async def test_peers_are_told_and_show_it_and_a_reload_changes_it(build: Build, paris: ManualClock) -> None:
    attic, barn = build("attic"), build("barn")
    attic.settings = with_windows(attic.settings, "23:00-07:00")
    await attic.start()
    await barn.start()
    await federate(attic, barn)
    assert (await barn.peer(attic)).announced_windows == ["23:00-07:00"]
    assert (await attic.peer(barn)).announced_windows == []
    assert (await attic.ask("status")).offline_windows == ["23:00-07:00"]
    assert (await attic.agent.reload(with_windows(attic.settings, "12:00-13:00"))).changed == (KEY,)
    await barn.ask("peer_sync", (await attic.ask("identity")).did)
    assert (await barn.peer(attic)).announced_windows == ["12:00-13:00"], "also where the state is unchanged"
    await attic.agent.reload(with_windows(attic.settings, ""))
    await barn.ask("peer_sync", (await attic.ask("identity")).did)
    assert (await barn.peer(attic)).announced_windows == []


async def test_hostile_windows_are_refused_with_a_counted_reason_and_what_was_known_stays(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    attic, barn = build("attic"), build("barn")
    await attic.start()
    await barn.start()
    await federate(attic, barn)
    before = await barn.peer(attic)
    whole_day = (Window(0, 719), Window(720, 1439), Window(1, 2))
    monkeypatch.setattr(attic.agent.node._announcement, "_windows", whole_day)
    with pytest.raises(EnigmaError, match="bad-away"):
        await barn.ask("peer_sync", before.did)
    after = await barn.peer(attic)
    assert (after.announced_windows, after.last_state) == ([], before.last_state)
    assert "bad-away" in (after.last_error or "")
    store = barn.agent.node.federation
    assert store._courier is not None
    assert store._courier._exchange.states.refusals["bad-away"] >= 1


async def test_a_peer_with_a_stream_is_told_at_once(build: Build, paris: ManualClock) -> None:
    """The change ends the stream, so the peer polls, though the next poll was an hour away."""
    attic, barn = build("attic"), build("barn")
    await attic.start()
    await barn.start()
    await federate(attic, barn)
    streams = barn.agent.node.federation.streams
    assert streams is not None
    await until(lambda: streams.open, "the stream stands")
    await attic.agent.reload(with_windows(attic.settings, "23:00-07:00"))
    seen = barn.agent.node.federation.store.observations
    await until(lambda: any(each.away for each in seen.values()), "barn polls")
    assert (await barn.peer(attic)).announced_windows == ["23:00-07:00"]


async def test_a_setting_that_waits_for_a_restart_is_warned_of_until_it_is_taken_back(build: Build) -> None:
    attic = build("attic")
    await attic.start()
    other = dataclasses.replace(attic.settings.clock, synchronised="assume")
    same = dataclasses.replace(attic.settings.clock, synchronised="kernel")
    changed = other if attic.settings.clock == same else same
    await attic.agent.reload(dataclasses.replace(attic.settings, clock=changed))
    waits = "Changed settings wait for a restart of the agent: clock.synchronised."
    assert waits in (await attic.ask("status")).warnings
    await attic.agent.reload(attic.settings)
    assert waits not in (await attic.ask("status")).warnings
