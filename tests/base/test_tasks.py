"""A background task that fails is logged and counted; closing ends them all."""

import asyncio
import logging

import pytest

from enigma_fed.base.tasks import Tasks


async def test_a_failure_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("broken on purpose")

    tasks = Tasks()
    with caplog.at_level(logging.ERROR):
        await tasks.start("poller", fail())
    assert tasks.failures == {"poller": 1}
    assert "task poller failed" in caplog.text
    await tasks.close()


async def test_close_cancels_and_waits() -> None:
    ended = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tasks = Tasks()
    task = tasks.start("forever", forever())
    await asyncio.sleep(0)
    await tasks.close()
    assert ended.is_set()
    assert task.cancelled()
    assert not tasks.failures


async def test_a_task_that_is_cancelled_before_its_first_step_leaves_nothing_behind() -> None:
    async def work() -> None:
        raise AssertionError("never begun")

    begun = work()
    tasks = Tasks()
    tasks.start("work", begun)
    await tasks.close()
    await asyncio.sleep(0)
    assert begun.cr_frame is None  # closed: no warning that it was never awaited
    assert not tasks.failures
