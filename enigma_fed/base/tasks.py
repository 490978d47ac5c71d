"""Long-running tasks: the one boundary where any error is caught, logged and counted."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine
from typing import Any

_log = logging.getLogger(__name__)


class Tasks:
    """Background tasks of one owner; `close` cancels and awaits them all."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self.failures: Counter[str] = Counter()
        """How many tasks of each name ended with an error."""

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in the background; an error in it is logged under `name`, never lost."""
        task = asyncio.create_task(self._guard(name, work), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: work.close())  # one that is cancelled at once never begins
        return task

    async def _guard(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - the boundary of a task, the one place for it
            self.failures[name] += 1
            _log.exception("task %s failed", name)

    async def close(self) -> None:
        """Cancel every task and wait until each has ended."""
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
