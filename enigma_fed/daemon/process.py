"""What every process of ours that stays needs: its event loop, its signals, its signs of life."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Final

from enigma_fed.daemon.notify import Notifier
from enigma_fed.wire import sdnotify

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


def leave_no_core() -> None:
    """A core file would hold the keys and lie where the system likes (invariant 8); tor inherits this."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed; None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def give_signs_of_life(notifier: Notifier, interval: float) -> None:
    """A task of the loop that does the work: when that is blocked, no sign of life goes out."""
    while True:
        notifier.send(sdnotify.WATCHDOG)
        await asyncio.sleep(interval)


class Signals:
    """The process's signals from here on; the second that ends it does so without more ado."""

    def __init__(self) -> None:
        """Call it on the running loop."""
        self._stop = asyncio.Event()
        self._something = asyncio.Event()
        self._reload_wanted = False
        loop = asyncio.get_running_loop()
        for number in _STOPPING:
            loop.add_signal_handler(number, self._end, number)
        # Of a terminal that closes, SIGHUP means the end, as for every program in the foreground.
        of_a_terminal = sys.stdin is not None and sys.stdin.isatty()
        loop.add_signal_handler(
            signal.SIGHUP, *((self._end, signal.SIGHUP) if of_a_terminal else (self.read_again,))
        )

    async def until_stopped(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Wait for the end; `reload` runs for each SIGHUP, one at a time."""
        while not self._stop.is_set():
            await self._something.wait()
            self._something.clear()
            if self._reload_wanted and not self._stop.is_set():
                self._reload_wanted = False
                await reload()

    def read_again(self) -> None:
        """As if SIGHUP had come."""
        self._reload_wanted = True
        self._something.set()

    def _end(self, number: int) -> None:
        if self._stop.is_set():
            os._exit(128 + number)
        self._stop.set()
        self._something.set()
