"""A registry as a process of its own: `enigma-fed registry serve`."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from enigma_fed.base import log
from enigma_fed.base.clock import SystemClock
from enigma_fed.base.errors import ConfigError, LooseModes
from enigma_fed.base.tasks import Tasks
from enigma_fed.daemon.notify import Notifier
from enigma_fed.daemon.process import Signals, give_signs_of_life, leave_no_core, loop_factory
from enigma_fed.daemon.registryadvice import follow
from enigma_fed.daemon.registryfiles import FileWatch
from enigma_fed.daemon.registrylistener import RegistryPort
from enigma_fed.daemon.registryparts import open_registry
from enigma_fed.registry import configfile
from enigma_fed.registry.configfile import Loaded
from enigma_fed.registry.nodeprobe import look_directly
from enigma_fed.registry.serving import RegistryServer
from enigma_fed.registry.settings import RegistrySettings
from enigma_fed.wire import sdnotify

_log = logging.getLogger(__name__)
_FIXED: Final = ("address", "mode", "storage")
"""What a running server keeps until its next start."""


def run_registry(path: Path, level: str, form: str, heard: Callable[[str, str], None]) -> None:
    """Run the registry of this configuration until a signal ends it; logs to standard error.

    `heard` is told base URL and DID once it answers. Raises what AloneRegistry.start raises.
    """
    loaded = read(path)
    leave_no_core()
    notifier = Notifier.take(os.environ)
    if notifier.listening:
        faulthandler.enable()
    output = log.start(level, form, None)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve(AloneRegistry(path, loaded), notifier, heard))
    finally:
        output.close()
        notifier.close()


def read(path: Path) -> Loaded:
    """The configuration as it is now; raises ConfigError, LooseModes."""
    return configfile.load(path, int(time.time() * 1000))


async def serve(alone: AloneRegistry, notifier: Notifier, heard: Callable[[str, str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then stop in order; SIGHUP has the files read again."""
    signals, tasks = Signals(), Tasks()
    if notifier.watchdog is not None:
        tasks.start("watchdog", give_signs_of_life(notifier, notifier.watchdog))
    try:
        await alone.start(signals.read_again)
        notifier.send(sdnotify.ready(f"the registry answers at {alone.url}"))
        heard(alone.url, alone.did)
        await signals.until_stopped(lambda: _reload(alone, notifier))
        _log.info("stopping")
    finally:
        notifier.send(sdnotify.stopping("finishing answers under way"))
        await alone.close()
        await tasks.close()


async def _reload(alone: AloneRegistry, notifier: Notifier) -> None:
    notifier.send(sdnotify.reloading(time.monotonic()))
    told = await alone.reload()
    notifier.send(sdnotify.ready(told or f"the registry answers at {alone.url}"))


class AloneRegistry:
    """A registry on its own port, which follows its files."""

    def __init__(self, path: Path, loaded: Loaded) -> None:
        self._path = path
        self._settings = loaded.settings
        self._loaded = loaded
        self._clock = SystemClock()
        self._tasks = Tasks()
        self._stack = AsyncExitStack()
        self._port: RegistryPort | None = None
        self._server: RegistryServer | None = None
        self._watch = FileWatch(loaded.files)

    @property
    def url(self) -> str:
        """Its base URL, once started."""
        return "" if self._port is None else self._port.url

    @property
    def did(self) -> str:
        """Who it is to peers and owners, once started."""
        return "" if self._server is None else str(self._server.did)

    async def start(self, changed: Callable[[], None]) -> None:
        """Open the store and listen; `changed` is called whenever one of the files is another one.

        Raises ConfigError, PortInUse, OperationFailed and what open_registry raises.
        """
        settings = self._settings
        if settings.address is None:
            raise ConfigError(f"address in {self._path} is empty: nothing would lead to this registry")
        self._server = await open_registry(settings, self._clock, os.urandom)
        self._stack.push_async_callback(self._server.close)
        self._stack.push_async_callback(self._tasks.close)
        self._port = RegistryPort(self._server.server(), settings, "address")
        self._stack.push_async_callback(self._port.close)
        await self._port.start()
        self._server.start(self._tasks, look_directly)
        await asyncio.to_thread(self._follow, self._loaded)
        self._tasks.start("registry: files", self._watch.tell(self._clock.sleep, changed))
        _log.info("the registry answers at %s as %s", self.url, self.did)

    async def reload(self) -> str:
        """Take over what changed in the files; what stands in the way, in words, or nothing.

        With an error in one of them everything stays as it was.
        """
        assert self._server is not None
        assert self._port is not None
        try:
            loaded = await asyncio.to_thread(read, self._path)
            settings = loaded.settings
            await asyncio.to_thread(self._port.renew, settings.tls)
        except (ConfigError, LooseModes) as error:
            _log.error("nothing was taken over, all stays as it was: %s", error)
            return f"the new configuration was refused: {(error.detail or error.what).rstrip('.')}"
        self._server.reload(settings)
        await asyncio.to_thread(self._follow, loaded)
        waiting = waits_for_restart(self._settings, settings)
        if waiting:
            _log.warning("waiting for a restart: %s", ", ".join(waiting))
        _log.info("the configuration was read again")
        return ""

    async def close(self) -> None:
        """Take no more requests, let answers under way end, close the store."""
        await self._stack.aclose()

    def _follow(self, loaded: Loaded) -> None:
        """Watch the files of this configuration, and say what its owner should know. Blocks."""
        for text in follow(self._watch, loaded):
            _log.warning("%s", text)


def waits_for_restart(running: RegistrySettings, wanted: RegistrySettings) -> tuple[str, ...]:
    """Which keys of `wanted` a server that runs with `running` does not take over."""
    return tuple(name for name in _FIXED if getattr(running, name) != getattr(wanted, name))
