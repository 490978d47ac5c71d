"""The power fails at every step of every change: nothing acknowledged is lost (invariant 5).

Histories are recorded on a disk in memory; each is cut after every step, with what was not brought to the
disk dropped, cut off or undone, and the store is opened on what is left (tests/support/histories.py).
The long run, with random histories, is tests/soak/test_replayed_crashes.py.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator

import pytest

from tests.support import stories
from tests.support.histories import History, fsyncs, in_a_hurry, replay
from tests.support.stories import Story

STEPS_OF_A_CHANGE = 10
"""Of one file: two temporary files, each made, written, synced, renamed, and its folder synced."""


@pytest.fixture(autouse=True)
def _hurry() -> Iterator[None]:
    with in_a_hurry():
        yield


async def told(story: Story, *, chunk: int | None = None) -> History:
    history = History(chunk=chunk)
    await story(history)
    return history


def assert_nothing_lost(history: History, name: str, *, every_cut: bool = False) -> None:
    counts = replay(history, random.Random(name), every_cut=every_cut)
    print(f"{name}: {counts.points} points, {counts.states} states, {len(counts.lost)} lost")
    assert not counts.lost[:3]
    assert counts.states > counts.points > 0


@pytest.mark.parametrize(
    "story",
    [
        stories.inviter,
        stories.joiner,
        stories.refused,
        stories.damaged,
        stories.missing,
        stories.older,
        stories.found_while_running,
        stories.without_copies,
    ],
)
async def test_invariant_5_a_power_cut_at_any_step_loses_nothing_acknowledged(story: Story) -> None:
    assert_nothing_lost(await told(story), story.__name__)


@pytest.mark.parametrize("number", range(STEPS_OF_A_CHANGE))
async def test_invariant_5_an_answer_after_a_kill_rests_on_what_is_on_the_disk(number: int) -> None:
    """What a killed process renamed may not be durable: the next start makes it so before it answers."""
    assert_nothing_lost(await told(stories.killed_at(number)), f"killed at {number}")


@pytest.mark.parametrize("number", range(STEPS_OF_A_CHANGE))
async def test_invariant_5_an_answer_after_a_failed_write_rests_on_what_is_on_the_disk(number: int) -> None:
    history = await told(stories.failing_at(number, OSError(errno.EIO, os.strerror(errno.EIO))))
    assert_nothing_lost(history, f"EIO at {number}")
    assert history.store.trouble is None


@pytest.mark.parametrize(
    ("story", "spare"),
    [
        (stories.invited, []),
        (stories.trusted, []),
        (stories.killed_at(4), []),  # the file was renamed, and its folder not synced
        (stories.missing, ["sync folder"]),  # of the recovered file: until then it is recovered again
    ],
)
async def test_invariant_5_every_single_fsync_is_needed(story: Story, spare: list[str]) -> None:
    """The crash tests can see: without any one fsync something acknowledged is lost."""
    history = await told(story)
    groups = fsyncs(history)
    assert len(groups) >= 4
    losses = [replay(history, random.Random(1), without=group, enough=1).lost for group in groups]
    not_missed = [
        history.disk.steps[group[0]].kind for group, lost in zip(groups, losses, strict=True) if not lost
    ]
    assert not_missed == spare


async def test_invariant_5_without_the_fsync_after_its_second_name_a_damaged_file_can_get_lost() -> None:
    history = await told(stories.damaged)
    link = next(n for n, step in enumerate(history.disk.steps) if step.kind == "link")
    assert replay(history, random.Random(1), without=[link + 1], enough=1).lost == [
        "the damaged file is gone"
    ]
