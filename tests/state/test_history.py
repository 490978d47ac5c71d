from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.state.history import (
    LONG,
    SHORT,
    Key,
    Pending,
    Ring,
    Sums,
    points,
    read_sums,
    sample,
    together,
    until_flush,
)
from enigma_fed.wire.snapshot import App, Snapshot
from enigma_fed.wire.timestamps import UNIX_MAX, to_text
from tests.support.identities import did

NOON = 1_800_014_400
"""A Unix time at which an hour begins."""


def snapshot(**changes: Any) -> Snapshot:
    values: dict[str, Any] = {"cpu_tenths": 100, "mem_used_kib": 4096, "disk_used_kib": 10240}
    return Snapshot(**{**values, **changes})


def one(**changes: int) -> Sums:
    return sample(snapshot())._replace(**changes)


def test_the_rings_are_a_day_of_five_minutes_and_thirty_days_of_hours() -> None:
    assert (SHORT.width, SHORT.slots * SHORT.width) == (limits.HISTORY_INTERVAL, 24 * 3600)
    assert (LONG.width, LONG.slots * LONG.width) == (3600, 30 * 24 * 3600)
    assert (SHORT.slots, LONG.slots) == (limits.HISTORY_SHORT_SLOTS, limits.HISTORY_LONG_SLOTS)


@pytest.mark.parametrize("ring", [SHORT, LONG])
def test_every_slot_of_a_ring_is_used_once_before_the_first_is_used_again(ring: Ring) -> None:
    first = ring.period(NOON)
    numbers = [ring.slot(period) for period in range(first, first + ring.slots)]
    assert sorted(numbers) == list(range(ring.first, ring.first + ring.slots))
    assert ring.slot(first + ring.slots) == numbers[0]


def test_the_rings_share_no_slot() -> None:
    assert LONG.first == SHORT.first + SHORT.slots


def test_a_slot_begins_at_its_first_second_and_ends_before_the_next() -> None:
    assert SHORT.period(NOON) == SHORT.period(NOON + 299.9)
    assert SHORT.period(NOON + 300) == SHORT.period(NOON) + 1
    assert SHORT.period(-5) == 0


def test_of_a_time_that_is_longer_than_the_ring_its_end_is_taken() -> None:
    assert len(SHORT.periods(NOON - 3600, NOON)) == 13
    longest = SHORT.periods(NOON - 10 * 86400, NOON)
    assert (len(longest), longest[-1]) == (SHORT.slots, SHORT.period(NOON))


def test_sizes_are_kept_in_mib_and_only_apps_that_run_are_counted() -> None:
    apps = (App(id="a", status="running"), App(id="b", status="stopped"), App(id="c", status="running"))
    kept = sample(snapshot(mem_used_kib=1535, disk_used_kib=1536, apps=apps))
    assert (kept.cpu, kept.mem, kept.disk, kept.apps) == (100, 1, 2, 2)


def test_a_gauge_that_is_not_told_does_not_count_in_its_mean() -> None:
    told = together({7: one()}, {7: sample(Snapshot())}, {7: one(cpu=300)})
    [point] = points(SHORT, range(7, 8), told, [7], 60)
    assert (point.samples, point.cpu_usage_percent, point.mem_used_bytes) == (3, 20.0, 4 * 2**20)


def test_a_slot_without_a_gauge_says_so() -> None:
    [point] = points(SHORT, range(7, 8), {7: sample(Snapshot())}, [7], 60)
    assert (point.heard, point.cpu_usage_percent, point.mem_used_bytes, point.disk_used_bytes) == (
        True,
        None,
        None,
        None,
    )


def test_samples_gather_in_the_slots_of_both_rings() -> None:
    pending = Pending()
    for second in (0, 60, 299, 300):
        pending.add(did(1), snapshot(), NOON + second)
    assert {period: sums.heard for period, sums in pending.of(did(1), SHORT).items()} == {
        SHORT.period(NOON): 3,
        SHORT.period(NOON) + 1: 1,
    }
    assert [sums.heard for sums in pending.of(did(1), LONG).values()] == [4]
    assert pending.of(did(2), SHORT) == {}


def test_after_a_step_back_of_the_clock_samples_fall_into_the_slots_of_then() -> None:
    pending = Pending()
    for at in (NOON, NOON + 300, NOON, NOON + 300, NOON + 86400 * 9000):
        pending.add(did(1), snapshot(), at)
    assert [sums.heard for sums in pending.of(did(1), SHORT).values()] == [2, 2, 1]


def test_a_clock_beyond_the_calendar_breaks_nothing() -> None:
    pending = Pending()
    pending.add(did(1), snapshot(), 1e18)
    pending.add(did(1), snapshot(), -1e18)
    assert sorted(pending.of(did(1), SHORT)) == [0, UNIX_MAX // 300]


def test_what_was_taken_or_forgotten_is_not_pending_any_more() -> None:
    pending = Pending()
    pending.add(did(1), snapshot(), NOON)
    pending.add(did(2), snapshot(), NOON)
    pending.forget(did(1))
    assert {key.did for key in pending.take()} == {did(2)}
    assert len(pending) == 0


def test_invariant_7_what_is_pending_is_bounded() -> None:
    pending = Pending(room=3)
    for number in range(10):
        pending.add(did(1), snapshot(), NOON + 86400 * number)
    assert len(pending) == 3
    pending.add(did(1), snapshot(), NOON)
    assert pending.take()[Key(did(1), SHORT, SHORT.period(NOON))].heard == 2


def test_a_node_is_heard_not_heard_or_nobody_knows() -> None:
    node, ours = {2: one(), 4: one()}, [1, 2, 3, 4, 6]
    shown = points(SHORT, range(7), node, ours, 60)
    assert [(point.at, point.heard) for point in shown] == [
        (to_text(600), True),
        (to_text(900), False),
        (to_text(1200), True),
        (to_text(1500), None),
        (to_text(1800), False),
    ]


def test_the_points_go_on_up_to_now_while_nothing_is_known() -> None:
    shown = points(SHORT, range(5), {2: one()}, [1, 2], 60)
    assert [point.heard for point in shown] == [True, None, None]


def test_a_node_that_is_asked_seldom_counts_as_heard_for_two_and_a_half_intervals() -> None:
    shown = points(SHORT, range(2, 10), {2: one()}, range(10), 600)
    assert [point.heard for point in shown] == [True] * 6 + [False] * 2


def test_of_a_node_that_was_never_heard_there_is_nothing() -> None:
    assert points(SHORT, range(7), {}, range(7), 60) == []


@given(st.lists(st.one_of(st.none(), st.integers(), st.text(), st.floats()), min_size=8, max_size=8))
def test_a_garbled_row_is_no_slot_or_one_that_can_be_shown(row: list[object]) -> None:
    sums = read_sums(row)
    if sums is not None:
        [point] = points(LONG, range(1), {0: sums}, (), 60)
        assert (point.mem_used_bytes or 0) < 2**63
        assert (point.cpu_usage_percent or 0) <= 100_000


@pytest.mark.parametrize(
    "row",
    [
        (0, 0, 0, 0, 0, 0, 0, 0),
        (1, 2, 0, 0, 0, 0, 0, 0),
        (1, 1, 1_000_001, 0, 0, 0, 0, 0),
        (1, 0, 0, 1, 2**33 + 1, 0, 0, 0),
        (1, 0, 0, 0, 0, 0, 1, 0),
        (1, 0, 0, 0, 0, 0, 0, 513),
        (1, 0, -1, 0, 0, 0, 0, 0),
        (2**61, 0, 0, 0, 0, 0, 0, 0),
        (1, 0, 0, 0, 0, 0, 0, None),
        (1.0, 0, 0, 0, 0, 0, 0, 0),
    ],
)
def test_rows_that_no_slot_can_hold(row: tuple[object, ...]) -> None:
    assert read_sums(row) is None


def test_what_a_slot_holds_comes_back() -> None:
    assert read_sums(tuple(one())) == one()


@given(st.floats(min_value=0, max_value=4e9))
def test_each_short_slot_gets_a_sample_of_this_node_although_sleeps_last_longer(now: float) -> None:
    then = now + until_flush(now)
    assert SHORT.period(then) == SHORT.period(now) + 1
    assert 100 < then % SHORT.width < 200
