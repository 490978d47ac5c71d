"""The agent as a process: its event loop, its signals, and what it tells systemd."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace

from enigma_fed.base.errors import EnigmaError
from enigma_fed.base.tasks import Tasks
from enigma_fed.config import Settings
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.notify import Notifier
from enigma_fed.daemon.paths import Paths
from enigma_fed.daemon.process import Signals, give_signs_of_life, leave_no_core, loop_factory
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.wire import sdnotify

_log = logging.getLogger(__name__)


def run_agent(settings: Settings, paths: Paths, reread: Callable[[], Settings] | None = None) -> None:
    """Run an agent until a signal ends it, on uvloop where it is installed.

    `reread` reads the configuration again on SIGHUP; None: SIGHUP changes nothing. Raises what `serve` does.
    """
    leave_no_core()
    notifier = Notifier.take(os.environ)
    if notifier.listening:
        # The watchdog ends a stuck process with SIGABRT: the stacks then stand in the journal.
        faulthandler.enable()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            agent = Agent(settings, paths, heard_tor=lambda status: notifier.status(tor_sentence(status)))
            runner.run(serve(agent, notifier, reread or (lambda: settings)))
    finally:
        notifier.close()


async def serve(agent: Agent, notifier: Notifier, reread: Callable[[], Settings]) -> None:
    """Serve until SIGTERM or SIGINT, then stop in order; SIGHUP has the configuration read again.

    systemd hears READY=1 only once the stores are open and commands are taken. Raises AgentRunning,
    PortInUse, LooseModes, TorMissing, ConfigError, StoreError, LockBusy.
    """
    signals = Signals()
    tasks = Tasks()
    if notifier.watchdog is not None:
        tasks.start("watchdog", give_signs_of_life(notifier, notifier.watchdog))
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
