"""The identity registry as a service of the agent: opened, listened for, published, and tried again.

What is wrong with it (a taken port, a damaged database, a setting) is told, and the agent runs without it
meanwhile: a home does not stop federating because of what it offers to strangers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from enigma_fed.base import registry_limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import EnigmaError
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.daemon.registryadvice import follow
from enigma_fed.daemon.registryenvelope import agent_settings
from enigma_fed.daemon.registryfiles import FileWatch
from enigma_fed.daemon.registrylistener import RegistryPort
from enigma_fed.daemon.registryparts import open_registry
from enigma_fed.daemon.strangers import StrangersDoor, StrangersSettings
from enigma_fed.registry.configfile import Loaded
from enigma_fed.registry.doors import Door
from enigma_fed.registry.serving import RegistryServer
from enigma_fed.registry.tables import AgentTables
from enigma_fed.transports.tor.public import PublicOnion
from enigma_fed.wire.views import RegistryView

_log = logging.getLogger(__name__)

REGISTRY: Final = "registry"
"""Its name among the services for strangers."""
REGISTRY_PORT: Final = 8443
"""Its port on the onion for strangers."""


@dataclass(frozen=True, slots=True)
class RegistryNeeds:
    """What the agent gives to its registry."""

    config: Path | None
    """The configuration file; its paths count from where it lies."""
    data_dir: Path
    clock: Clock
    random: Callable[[int], bytes]
    tasks: Tasks
    is_trusted: Callable[[Did], bool]
    """Whose signed requests are taken beside those of the setting `peers`."""
    door: StrangersDoor | None
    """Where strangers come in; None when it is not to be published."""
    publish: Callable[[PublicOnion | None], None]
    """Tells tor what to carry for strangers from now on."""


class RegistryHere:
    """Runs the registry that `[registry]` describes, from `start` to `close`."""

    def __init__(self, section: AgentTables, needs: RegistryNeeds) -> None:
        self._section = section
        self._needs = needs
        self._held = AsyncExitStack()
        self._loaded: Loaded | None = None
        self._server: RegistryServer | None = None
        self._port: RegistryPort | None = None
        self._running: asyncio.Task[None] | None = None
        self._trouble = "it is being opened"
        self._warnings: tuple[str, ...] = ()
        self._watch = FileWatch(())
        self._hurry = asyncio.Event()
        self._opening = asyncio.Lock()
        self.settled = asyncio.Event()
        """Set once it runs, or once the first try failed."""

    def start(self) -> None:
        """Begin in the background: a large database takes a while to open."""
        self._running = self._needs.tasks.start(REGISTRY, self._run())

    async def close(self) -> None:
        """Take no more requests, let answers under way end, close the store."""
        if self._running is not None:
            async with self._opening:  # a store that was half opened would stay locked
                self._running.cancel()
            await asyncio.wait({self._running})
        await self._held.aclose()

    @property
    def counters(self) -> Counter[str]:
        """Requests by what became of them (RegistryServer.counters)."""
        return Counter() if self._server is None else self._server.counters

    @property
    def identities(self) -> int | None:
        """How many handles are taken; None while it does not run."""
        return None if self._server is None else self._server.registry.store.count

    def view(self) -> RegistryView:
        """What status shows of it."""
        server, port, loaded = self._server, self._port, self._loaded
        if server is None or loaded is None:
            return RegistryView(running=False, trouble=self._trouble)
        return RegistryView(
            running=True,
            did=str(server.did),
            listen=None if port is None else port.address,
            tls=loaded.settings.mode == "tls",
            identities=self.identities,
            trouble=self._trouble,
            warnings=list(self._warnings),
        )

    async def prepare(self, section: AgentTables) -> Loaded:
        """What these settings mean; raises ConfigError, LooseModes, and nothing has changed."""
        needs = self._needs
        now_ms = int(needs.clock.wall() * 1000)
        return await asyncio.to_thread(
            agent_settings, section, needs.config, needs.data_dir, now_ms, needs.random
        )

    async def take(self, section: AgentTables, loaded: Loaded) -> None:
        """Go by prepared settings; where it listens and what it keeps stay as they are. Raises ConfigError.

        While it does not run, it is tried again with them at once.
        """
        server, port = self._server, self._port
        if server is not None and port is not None:
            await asyncio.to_thread(port.renew, loaded.settings.tls)
        self._section = section
        if server is None:
            self._hurry.set()
            return
        server.reload(loaded.settings)
        await self._follow(loaded)

    async def _run(self) -> None:
        while not await self._try():
            await self._pause()
        changed = asyncio.Event()
        telling = self._needs.tasks.start(
            "registry files", self._watch.tell(self._needs.clock.sleep, changed.set)
        )
        try:
            while True:
                await changed.wait()
                changed.clear()
                await self._reread()
        finally:
            telling.cancel()

    async def _pause(self) -> None:
        """Until the next try, or until the settings are others."""
        self._hurry.clear()
        pause = self._needs.clock.sleep(registry_limits.REGISTRY_RETRY)
        waiting = [asyncio.ensure_future(self._hurry.wait()), asyncio.ensure_future(pause)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _try(self) -> bool:
        async with self._opening, AsyncExitStack() as held:
            try:
                await self._open(held)
            except EnigmaError as error:
                self._server = self._port = None
                self._tell("it is not served", error)
                return False
            finally:
                self.settled.set()
            self._held = held.pop_all()
        assert self._server is not None
        _log.info("the registry is up as %s, identities: %s", self._server.did, self.identities)
        return True

    async def _open(self, held: AsyncExitStack) -> None:
        """Open every part of it, and leave with `held` how to close it; raises EnigmaError."""
        needs = self._needs
        loaded = await self.prepare(self._section)
        server = await open_registry(loaded.settings, needs.clock, needs.random, self._is_peer)
        held.push_async_callback(server.close)
        tasks = Tasks()
        held.push_async_callback(tasks.close)
        if loaded.settings.address is not None:
            port = RegistryPort(server.server(Door.TCP), loaded.settings, "registry.listen")
            held.push_async_callback(port.close)
            await port.start()
            self._port = port
        if needs.door is not None:
            await self._publish(needs.door, server, held)
        server.start(tasks)
        self._server = server
        await self._follow(loaded)

    async def _publish(self, door: StrangersDoor, server: RegistryServer, held: AsyncExitStack) -> None:
        """Let strangers in through their onion, each counted by circuit where tor tells."""
        kind = Door.CIRCUIT if door.tells_circuits else Door.ONION
        settings = StrangersSettings(self._section.onion_listen, "registry.onion_listen")
        await door.join(REGISTRY, REGISTRY_PORT, server.server(kind), settings)
        held.push_async_callback(door.leave, REGISTRY_PORT)
        self._needs.publish(door.onion)

    async def _reread(self) -> None:
        """Take over keys and certificates whose files are others now."""
        try:
            await self.take(self._section, await self.prepare(self._section))
        except EnigmaError as error:
            self._tell("its changed files were refused", error)
        else:
            _log.info("the registry took over its changed files")

    async def _follow(self, loaded: Loaded) -> None:
        """Watch the files of these settings, and keep what their owner should know."""
        self._loaded, self._trouble = loaded, ""
        self._warnings = await asyncio.to_thread(follow, self._watch, loaded)

    def _is_peer(self, did: Did) -> bool:
        named = self._loaded is not None and did in self._loaded.settings.peers
        return named or self._needs.is_trusted(did)

    def _tell(self, what: str, error: EnigmaError) -> None:
        """Keep the trouble for the status, and log one that is new."""
        named = f"{error.what}: {error.detail}" if error.detail else error.what
        told = f"{named.rstrip('.')}. {error.hint}".strip()
        if told != self._trouble:
            _log.warning("the registry: %s: %s", what, told)
        self._trouble = told
