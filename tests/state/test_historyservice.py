from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import LockBusy, StoreDamaged, WriteFailed
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.state import historystore
from enigma_fed.state.history import LONG, SHORT, Ring, Sums, until_flush
from enigma_fed.state.historyservice import HistoryFile, HistoryService
from enigma_fed.state.historystore import NAME, HistoryStore
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState
from tests.support.identities import did
from tests.support.manualclock import ManualClock
from tests.support.sqlitefiles import put

OWN, ATTIC, BARN = did(1), did(2), did(3)
DAY = 86400
STATE = Snapshot(cpu_tenths=120, mem_used_kib=2048)


class FaultyStore(HistoryStore):
    """A store whose disk fails while `fault` is set."""

    fault: Exception | None = None
    writes = 0

    async def add(self, heard: object, totals: object = None) -> None:
        self.writes += 1
        if self.fault is not None:
            raise self.fault
        await super().add(heard, totals)  # type: ignore[arg-type]

    async def read(self, did: Did, ring: Ring, periods: range) -> dict[int, Sums]:
        if self.fault is not None:
            raise self.fault
        return await super().read(did, ring, periods)


class Keeper:
    """A service with its clock and its store."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.folder = folder
        self.clock = clock
        self.members = {ATTIC, BARN}
        self.tasks = Tasks()
        self.store = FaultyStore(folder)
        self.service = HistoryService(self.store, OWN, clock, self.tasks)

    def start(self) -> None:
        self.service.start(self._own_state, lambda: self.members, lambda: 60)

    async def _own_state(self) -> FullState:
        return FullState(epoch=b"", started=0, seq=1, ts=0, snapshot=STATE, signature=b"")

    async def begun(self) -> None:
        self.start()
        await self.settled()

    async def settled(self) -> None:
        """Until the first (the next) flush is done and the service sleeps again."""
        for _ in range(60_000):
            if self.clock.sleepers:
                return
            await asyncio.sleep(0.001)
        raise AssertionError("the service hangs")

    async def later(self) -> None:
        """Until the next flush is done."""
        self.clock.advance(until_flush(self.clock.wall()))
        await self.settled()

    def hear(self, who: Did = ATTIC, state: Snapshot = STATE) -> None:
        self.service.note(who, state, self.clock.wall())

    async def samples(self, who: Did = ATTIC, ring: Ring = SHORT) -> list[int]:
        return [point.samples for point in (await self.service.series(who, ring, DAY)).points]

    async def end(self) -> None:
        await self.service.close()
        await self.tasks.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall=1_800_014_400.0)


@pytest.fixture
async def keeper(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Keeper]:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    made = Keeper(folder, clock)
    yield made
    await made.end()


async def test_what_was_heard_is_shown_at_once_and_written_once_per_interval(keeper: Keeper) -> None:
    await keeper.begun()
    for _ in range(4):
        keeper.hear()
        keeper.hear(BARN)
        keeper.clock.advance(limits.HISTORY_INTERVAL / 6)
    assert await keeper.samples() == [4]
    assert keeper.store.writes == 1, "the first one, with this node's own state"
    await keeper.later()
    assert keeper.store.writes == 2
    assert (await keeper.samples())[0] == 4
    assert await keeper.samples(ring=LONG) == [4]


async def test_this_nodes_own_gauges_are_kept_every_five_minutes(keeper: Keeper) -> None:
    await keeper.begun()
    for _ in range(5):
        await keeper.later()
    shown = (await keeper.service.series(OWN, SHORT, DAY)).points
    assert [(point.samples, point.heard) for point in shown] == [(1, True)] * 6
    assert shown[0].cpu_usage_percent == 12.0


async def test_this_node_is_sampled_each_minute_and_soon_after_the_start_and_when_it_is_anyway(
    keeper: Keeper, clock: ManualClock
) -> None:
    await keeper.begun()
    for seconds in (20, 60, 60):
        clock.advance(seconds)
        await keeper.settled()
    keeper.service.note_own(STATE)
    assert await keeper.samples(OWN) == [5]
    assert keeper.store.writes == 1


async def test_a_peer_that_falls_silent_is_shown_as_not_heard(keeper: Keeper) -> None:
    await keeper.begun()
    keeper.hear()
    for _ in range(3):
        await keeper.later()
    shown = (await keeper.service.series(ATTIC, SHORT, DAY)).points
    assert [point.heard for point in shown] == [True, False, False, False]


async def test_what_is_left_is_written_at_the_end_and_found_by_the_next_start(
    keeper: Keeper, clock: ManualClock
) -> None:
    await keeper.begun()
    keeper.hear()
    await keeper.end()
    again = Keeper(keeper.folder, clock)
    again.start()
    await again.settled()
    again.hear()
    assert await again.samples() == [2]
    await again.end()
    file = HistoryFile(keeper.folder, OWN, clock.wall, 60)
    assert [point.samples for point in (await file.series(ATTIC, SHORT, DAY)).points] == [2]


async def test_a_removed_peers_history_goes_with_it(keeper: Keeper) -> None:
    await keeper.begun()
    keeper.hear()
    await keeper.later()
    keeper.hear()
    keeper.service.forget(ATTIC)
    assert (await keeper.service.series(ATTIC, LONG, DAY)).points[0].samples == 1, "not written yet"
    await keeper.end()
    assert historystore.look(keeper.folder) == 1


async def test_who_was_removed_while_no_agent_ran_has_no_history_after_a_start(
    keeper: Keeper, clock: ManualClock
) -> None:
    await keeper.begun()
    keeper.hear()
    keeper.hear(BARN)
    await keeper.end()
    again = Keeper(keeper.folder, clock)
    again.members = {BARN}
    await again.begun()
    assert (await again.samples(), await again.samples(BARN)) == ([], [1])
    await again.end()


async def test_a_full_disk_is_told_and_costs_the_samples_of_one_flush(
    keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    await keeper.begun()
    keeper.hear()
    keeper.store.fault = WriteFailed("No space left on device")
    for _ in range(3):
        await keeper.later()
    [said] = keeper.service.warnings()
    assert "No space left" in said
    assert caplog.text.count("No space left") == 1
    assert keeper.service.counts["failed"] == 3
    keeper.store.fault = None
    keeper.hear()
    await keeper.later()
    assert keeper.service.warnings() == []
    assert (await keeper.samples())[0] == 1


async def test_a_file_that_is_busy_is_told_to_whoever_reads(keeper: Keeper) -> None:
    await keeper.begun()
    keeper.hear()
    keeper.store.fault = LockBusy("another program uses it")
    series = await keeper.service.series(ATTIC, SHORT, DAY)
    assert [point.samples for point in series.points] == [1], "what is in memory"
    assert "cannot be read" in series.problem
    keeper.store.fault = None


async def test_a_damaged_file_is_set_aside_at_the_start_and_told(keeper: Keeper) -> None:
    (keeper.folder / NAME).write_bytes(b"garbage")
    (keeper.folder / NAME).chmod(0o600)
    await keeper.begun()
    [said] = keeper.service.warnings()
    assert "history.db was damaged: it is kept as history.db.damaged-" in said
    keeper.hear()
    assert await keeper.samples() == [1]


@pytest.mark.parametrize("reading", [False, True])
async def test_a_file_that_is_damaged_meanwhile_is_set_aside_and_begun_anew(
    keeper: Keeper, reading: bool
) -> None:
    await keeper.begun()
    keeper.store.fault = StoreDamaged("malformed")
    if reading:
        assert (await keeper.service.series(OWN, SHORT, DAY)).points == []
        keeper.store.fault = None
    else:
        await keeper.later()
        keeper.store.fault = None
        await keeper.later()
    assert keeper.service.counts["damaged"] == 1
    assert len(list(keeper.folder.glob("history.db.damaged-*"))) == 1
    keeper.hear()
    await keeper.later()
    assert (await keeper.samples())[0] == 1


async def test_one_that_cannot_be_begun_anew_is_told_and_tried_again(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: HistoryStore, *, distrust: bool = False) -> None:
        raise WriteFailed("No space left on device")

    await keeper.begun()
    keeper.store.fault = StoreDamaged("malformed")
    with monkeypatch.context() as patched:
        patched.setattr(HistoryStore, "open", refuse)
        await keeper.later()
        assert "No space left" in keeper.service.warnings()[0]
        await keeper.later()
    keeper.store.fault = None
    await keeper.later()
    assert keeper.service.warnings() == []


async def test_a_file_of_a_newer_version_stays_and_what_is_heard_is_shown_all_the_same(
    keeper: Keeper,
) -> None:
    store = HistoryStore(keeper.folder)
    store.open()
    await store.close()
    data = bytearray((keeper.folder / NAME).read_bytes())
    data[60:64] = (99).to_bytes(4, "big")
    (keeper.folder / NAME).write_bytes(data)
    await keeper.begun()
    keeper.hear()
    await keeper.later()
    assert "newer version" in keeper.service.warnings()[0]
    assert (keeper.folder / NAME).read_bytes() == data
    assert (await keeper.samples())[0] == 1, "it waits in memory, which has room for so much"


async def test_an_end_in_the_middle_of_the_start_leaves_nothing_open(keeper: Keeper) -> None:
    keeper.start()
    await asyncio.sleep(0)
    await keeper.end()
    assert not keeper.store.is_open


async def test_one_that_never_started_ends(keeper: Keeper) -> None:
    await keeper.service.close()
    assert list(keeper.folder.iterdir()) == []


async def test_without_an_agent_a_missing_file_is_an_empty_history_and_a_damaged_one_is_told(
    keeper: Keeper, clock: ManualClock
) -> None:
    file = HistoryFile(keeper.folder, OWN, clock.wall, 60)
    series = await file.series(ATTIC, SHORT, DAY)
    assert (series.points, series.problem) == ([], "")
    assert (series.since, series.until) == (int(clock.wall()) - DAY, int(clock.wall()))
    (keeper.folder / NAME).write_bytes(b"garbage")
    (keeper.folder / NAME).chmod(0o600)
    with pytest.raises(StoreDamaged, match=r"history\.db is damaged"):
        await file.series(ATTIC, SHORT, DAY)


async def test_without_an_agent_a_file_that_cannot_be_read_is_told(
    keeper: Keeper, clock: ManualClock
) -> None:
    (keeper.folder / NAME).touch(mode=0o644)
    (keeper.folder / NAME).chmod(0o644)
    series = await HistoryFile(keeper.folder, OWN, clock.wall, 60).series(ATTIC, SHORT, DAY)
    assert "cannot be read" in series.problem


async def test_a_file_that_is_garbled_or_gone_under_the_agent_is_begun_anew_and_told(keeper: Keeper) -> None:
    await keeper.begun()
    put(keeper.folder / NAME, 0, b"garbage")
    await keeper.later()
    assert "it is kept as history.db.damaged-" in keeper.service.warnings()[0]
    (keeper.folder / NAME).unlink()
    await keeper.later()
    assert keeper.service.counts["damaged"] == 2
    assert (keeper.folder / NAME).exists()
