"""When every caller is asked for a challenge (PROTOCOL section 1)."""

from __future__ import annotations

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
def test_a_clock_that_nobody_keeps_right_means_challenges(
    kernel: bool | None, assume: bool, expected: bool
) -> None:
    clock = ManualClock()
    found = state(clock, assume=assume, kernel=kernel)
    clock.advance(limits.CHALLENGE_AFTER_START)
    assert found.challenge_everyone() is expected


def test_invariant_1_a_clock_behind_the_files_means_challenges_until_it_is_not() -> None:
    clock = ManualClock(wall=1000)
    found = state(clock, newest=1500, assume=True)
    clock.advance(limits.CHALLENGE_AFTER_START)
    assert found.behind
    assert found.challenge_everyone()
    clock.step_wall(400)
    assert not found.behind
    assert not found.challenge_everyone()


def test_the_newest_time_is_found_in_the_files() -> None:
    did: Did = NodeKey.generate(bytes(range(32))).did
    assert newest_time(Membership()) == 0
    removed = (Tombstone(did=did, removed_at=7), Tombstone(did=did, removed_at=5))
    assert newest_time(Membership(nodes=NodesFile(removed=removed))) == 7
    assert newest_time(Membership(), [Observation(did=did, last_seen=9), Observation(did=did)]) == 9


def test_the_kernel_answers() -> None:
    assert kernel_synchronised() in (True, False, None)
