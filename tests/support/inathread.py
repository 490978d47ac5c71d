"""An asynchronous context in a thread of its own, for tests whose commands have loops of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")
_PATIENCE = 30.0


@contextmanager
def in_a_thread(opened: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """What the context gives, while it is open on the thread's loop."""
    ready = threading.Event()
    found: list[T] = []
    ends: list[Callable[[], object]] = []

    async def serve() -> None:
        async with opened() as value:
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            ends.append(lambda: loop.call_soon_threadsafe(stop.set))
            found.append(value)
            ready.set()
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="served for a test")
    thread.start()
    try:
        assert ready.wait(_PATIENCE)
        assert found, "it could not be opened"
        yield found[0]
    finally:
        for end in ends:
            end()
        thread.join(_PATIENCE)
        assert not thread.is_alive()
