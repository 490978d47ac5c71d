"""When every caller is asked for a challenge (PROTOCOL section 1)."""

from __future__ import annotations

import asyncio

import pytest

from enigma_fed.base import limits
from enigma_fed.base.ids import Did
from enigma_fed.daemon.clockstate import ClockState, kernel_synchronised, newest_time
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.wire.records import Membership, NodesFile, Observation, Tombstone
from tests.support.manualclock import ManualClock


def state(
    clock: ManualClock, newest: int = 0, *, assume: bool = False, kernel: bool | None = True
) -> ClockState:
    return ClockState(clock, newest, assume=assume, ask_kernel=lambda: kernel)


def test_invariant_1_everyone_is_challenged_after_a_start() -> None:
    clock = ManualClock()
    found = state(clock)
    clock.advance(limits.CHALLENGE_AFTER_START - 0.1)
    assert found.challenge_everyone()
    clock.advance(0.1)
    assert not found.challenge_everyone()


def test_the_start_window_runs_on_the_boot_clock() -> None:
    clock = ManualClock()
    found = state(clock)
    clock.step_wall(10 * limits.CHALLENGE_AFTER_START)
    assert found.challenge_everyone()


@pytest.mark.parametrize(
    ("kernel", "assume", "expected"),
    [(True, False, False), (False, False, True), (None, False, True), (False, True, False)],
)
def test_invariant_1_a_clock_that_nobody_keeps_right_means_challenges(
    kernel: bool | None, assume: bool, expected: bool
) -> None:
    clock = ManualClock()
    found = state(clock, assume=assume, kernel=kernel)
    clock.advance(limits.CHALLENGE_AFTER_START)
    assert found.challenge_everyone() is expected


def settled(clock: ManualClock, newest: int = 0) -> ClockState:
    found = state(clock, newest)
    clock.advance(limits.CHALLENGE_AFTER_START)
    assert not found.challenge_everyone()
    return found


def test_invariant_1_a_clock_behind_the_files_means_challenges_until_it_is_well_past_them() -> None:
    """What was fresh at the newest time on disk must have become stale first."""
    clock = ManualClock(wall=1000)
    found = state(clock, newest=1500)
    clock.advance(limits.CHALLENGE_AFTER_START)
    assert found.behind
    assert found.challenge_everyone()
    clock.advance(320)
    assert not found.behind
    assert found.challenge_everyone()
    clock.advance(limits.CHALLENGE_AFTER_STEP)
    assert not found.challenge_everyone()


@pytest.mark.parametrize("seconds", [3600, -3600, 3, -3])
def test_invariant_1_everyone_is_challenged_after_a_step_of_the_clock(seconds: int) -> None:
    clock = ManualClock()
    found = settled(clock)
    clock.step_wall(seconds)
    assert found.challenge_everyone()
    clock.advance(limits.CHALLENGE_AFTER_STEP - 0.1)
    assert found.challenge_everyone()
    clock.advance(4)
    assert found.challenge_everyone() is (seconds == -3600), "a clock set back far has to catch up first"


def test_invariant_1_a_clock_set_back_has_to_catch_up_with_what_was_let_in() -> None:
    clock = ManualClock()
    found = settled(clock)
    clock.step_wall(-3600)
    assert found.challenge_everyone()
    clock.advance(3599)
    assert found.behind
    clock.advance(1 + limits.CHALLENGE_AFTER_STEP - 0.5)
    assert found.challenge_everyone()
    clock.advance(1)
    assert not found.challenge_everyone()


def test_invariant_1_what_passed_by_a_challenge_counts_too() -> None:
    """Nobody else may have called since the start."""
    clock = ManualClock()
    found = state(clock)
    clock.advance(7200)
    found.let_in(clock.wall())
    clock.step_wall(-3600)
    assert found.challenge_everyone()
    clock.advance(3600 + limits.CHALLENGE_AFTER_STEP - 0.5)
    assert found.challenge_everyone()
    clock.advance(1)
    assert not found.challenge_everyone()


def test_a_suspend_and_a_slewed_clock_are_no_steps() -> None:
    clock = ManualClock()
    found = settled(clock)
    clock.advance(8 * 3600)  # CLOCK_BOOTTIME runs on through a suspend
    assert not found.challenge_everyone()
    for seconds in (10, 1000, 86400):
        clock.advance(seconds)
        clock.step_wall(seconds * limits.CLOCK_SLEW)
        assert not found.challenge_everyone()


async def test_a_step_is_noticed_and_logged_when_nobody_calls(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    found = settled(clock)
    watching = asyncio.create_task(found.watch())
    await asyncio.sleep(0)
    clock.step_wall(3600)
    clock.advance(limits.CLOCK_LOOK)
    await asyncio.sleep(0)
    assert "the clock was set by +3600 s" in caplog.text
    clock.advance(limits.CHALLENGE_AFTER_STEP)
    assert not found.challenge_everyone(), "the time after the step began with it"
    watching.cancel()


def test_the_newest_time_is_found_in_the_files() -> None:
    did: Did = NodeKey.generate(bytes(range(32))).did
    assert newest_time(Membership()) == 0
    removed = (Tombstone(did=did, removed_at=7), Tombstone(did=did, removed_at=5))
    assert newest_time(Membership(nodes=NodesFile(removed=removed))) == 7
    assert newest_time(Membership(), [Observation(did=did, last_seen=9), Observation(did=did)]) == 9


def test_the_kernel_answers() -> None:
    assert kernel_synchronised() in (True, False, None)


def test_asking_for_the_status_lets_nobody_in() -> None:
    """A look at a clock that runs far ahead is no request: set right, it means no doubt beyond the step's."""
    clock = ManualClock()
    found = state(clock)
    clock.advance(limits.CHALLENGE_AFTER_START)
    assert not found.in_doubt
    clock.step_wall(86400)
    assert found.in_doubt
    clock.advance(limits.CHALLENGE_AFTER_STEP)
    assert not found.in_doubt
    clock.step_wall(-86400)
    assert found.in_doubt
    clock.advance(limits.CHALLENGE_AFTER_STEP)
    assert not found.in_doubt
    assert not found.behind
