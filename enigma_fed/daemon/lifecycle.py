"""The agent as a process: its event loop, its signals, and what it tells systemd."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from enigma_fed.base.errors import EnigmaError
from enigma_fed.base.tasks import Tasks
from enigma_fed.config import Settings
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.notify import Notifier
from enigma_fed.daemon.paths import Paths
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.wire import sdnotify

_log = logging.getLogger(__name__)
_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


def run_agent(settings: Settings, paths: Paths, reread: Callable[[], Settings] | None = None) -> None:
    """Run an agent until a signal ends it, on uvloop where it is installed.

    `reread` reads the configuration again on SIGHUP; None: SIGHUP changes nothing. Raises what `serve` does.
    """
    _leave_no_core()
    notifier = Notifier.take(os.environ)
    if notifier.listening:
        # The watchdog ends a stuck process with SIGABRT: the stacks then stand in the journal.
        faulthandler.enable()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            agent = Agent(settings, paths, heard_tor=lambda status: notifier.status(tor_sentence(status)))
            runner.run(serve(agent, notifier, reread or (lambda: settings)))
    finally:
        notifier.close()


def _leave_no_core() -> None:
    """A core file would hold the keys and lie where the system likes (invariant 8); tor inherits this."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve(agent: Agent, notifier: Notifier, reread: Callable[[], Settings]) -> None:
    """Serve until SIGTERM or SIGINT, then stop in order; SIGHUP has the configuration read again.

    systemd hears READY=1 only once the stores are open and commands are taken. Raises AgentRunning,
    PortInUse, LooseModes, TorMissing, ConfigError, StoreError, LockBusy.
    """
    signals = Signals()
    tasks = Tasks()
    if notifier.watchdog is not None:
        tasks.start("watchdog", _give_signs_of_life(notifier, notifier.watchdog))
    notifier.status("opening the stores")
    try:
        await agent.start()
        notifier.send(sdnotify.ready(tor_sentence(agent.node.tor_status)))
        await signals.until_stopped(lambda: _reload(agent, notifier, reread))
        _log.info("stopping")
    finally:
        notifier.send(sdnotify.stopping("finishing answers under way"))
        await agent.close()
        await tasks.close()


async def _give_signs_of_life(notifier: Notifier, interval: float) -> None:
    """A task of the loop that does the work: when that is blocked, no sign of life goes out."""
    while True:
        notifier.send(sdnotify.WATCHDOG)
        await asyncio.sleep(interval)


async def _reload(agent: Agent, notifier: Notifier, reread: Callable[[], Settings]) -> None:
    notifier.send(sdnotify.reloading(time.monotonic()))
    try:
        await agent.reload(await asyncio.to_thread(reread))
        told = tor_sentence(agent.node.tor_status)
    except EnigmaError as error:
        _log.error("nothing was reloaded, the settings stay as they were: %s", error)
        why = (error.detail or error.what).rstrip(".")
        agent.node.unsettled = replace(agent.node.unsettled, refused=why)
        told = f"the new configuration was refused: {why}"
    notifier.send(sdnotify.ready(told))


def tor_sentence(status: TorStatus) -> str:
    """How far Tor is, for `systemctl status`."""
    if status.phase is TorPhase.READY:
        return "peers can reach this node through Tor"
    if status.phase is TorPhase.OFF:
        return "Tor is switched off: no peer can reach this node"
    reason = f": {status.reason}" if status.reason else ""
    return f"Tor is {status.phase.value} at {status.percent} %{reason}"


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
            signal.SIGHUP, *((self._end, signal.SIGHUP) if of_a_terminal else (self._read_again,))
        )

    async def until_stopped(self, reload: Callable[[], Awaitable[None]]) -> None:
        """Wait for the end; `reload` runs for each SIGHUP, one at a time."""
        while not self._stop.is_set():
            await self._something.wait()
            self._something.clear()
            if self._reload_wanted and not self._stop.is_set():
                self._reload_wanted = False
                await reload()

    def _end(self, number: int) -> None:
        if self._stop.is_set():
            os._exit(128 + number)
        self._stop.set()
        self._something.set()

    def _read_again(self) -> None:
        self._reload_wanted = True
        self._something.set()
