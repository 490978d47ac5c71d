"""The agent: takes its data folder, opens keys and stores, and runs a node on them until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

import aiohttp

from enigma_fed.base import log
from enigma_fed.base.clock import Clock, SystemClock
from enigma_fed.config import Settings
from enigma_fed.daemon import keys
from enigma_fed.daemon.folder import take_folder
from enigma_fed.daemon.init import load_keys, make_node
from enigma_fed.daemon.node import RunningNode
from enigma_fed.daemon.paths import Paths, prepare_runtime_dir
from enigma_fed.daemon.reload import Reload, Unsettled, plan
from enigma_fed.daemon.surroundings import Surroundings, nothing
from enigma_fed.daemon.torplan import export_onion, make_plan
from enigma_fed.federation.store import FederationStore
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.storage.disk import Disk
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.service import PUBLIC_ONION
from enigma_fed.transports.tor.status import TorStatus
from enigma_fed.wire.snapshot import App

_log = logging.getLogger(__name__)


class Agent:
    """One node as a long-running process: takes its data folder, serves until it is told to stop."""

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        *,
        clock: Clock | None = None,
        random: Callable[[int], bytes] = os.urandom,
        environ: Mapping[str, str] = os.environ,
        session: Callable[[], aiohttp.ClientSession] | None = None,
        heard_tor: Callable[[TorStatus], None] = nothing,
        apps: Callable[[], tuple[App, ...]] = tuple,
        keep_log: bool = True,
    ) -> None:
        """`session` makes the client session of a test without Tor; `keep_log` False leaves logging alone."""
        self._settings = settings
        self._paths = paths
        self._surroundings = Surroundings(clock or SystemClock(), random, session, heard_tor, apps)
        self._environ = environ
        self._keep_log = keep_log
        self._log: log.LogOutput | None = None
        self._held = AsyncExitStack()
        self._running: RunningNode | None = None

    @property
    def node(self) -> RunningNode:
        """What runs between `start` and `close`."""
        assert self._running is not None
        return self._running

    async def start(self) -> None:
        """Take the folder and start every part; what was started is stopped again if one fails."""
        async with AsyncExitStack() as held:
            lock = await asyncio.to_thread(take_folder, self._paths)
            held.callback(lock.release)
            if self._keep_log:
                held.callback((await asyncio.to_thread(self._start_log)).close)
            await asyncio.to_thread(prepare_runtime_dir, self._paths.runtime_dir)
            tor = await make_plan(self._settings.tor, self._paths, self._environ)
            _log.info("Tor mode %s: %s", tor.mode.value, tor.choice.why)
            own_keys = await asyncio.to_thread(self._load_or_make_keys)
            if tor.mode is TorMode.SOCKS and not self._settings.tor.onion:
                await asyncio.to_thread(export_onion, self._paths, own_keys[1])
            strangers = await asyncio.to_thread(self._strangers_key, tor.mode)
            store = FederationStore(self._paths.data_dir)
            await asyncio.to_thread(store.open)
            self._running = RunningNode(
                self._settings, self._paths, own_keys, store, tor, self._surroundings, strangers
            )
            await self._running.start(held)
            self._held = held.pop_all()

    async def close(self) -> None:
        """Stop every part in order: commands, listeners, polling (state is written), tor, the lock."""
        await self._held.aclose()

    async def reload(self, wanted: Settings) -> Reload:
        """Put in force what a running agent can change of these settings; the rest waits for a restart."""
        planned = plan(self._settings, wanted, own_tor=self.node.has_own_tor)
        told = "; tor has other lines of tor.torrc_extra" if await self.node.reload(planned.settings) else ""
        self._settings, self.node.unsettled = planned.settings, Unsettled(planned.waiting)
        if self._log is not None:
            self._log.change(planned.settings.log.level, planned.settings.log.format)
        _log.log(logging.WARNING if planned.waiting else logging.INFO, "%s%s", planned.sentence, told)
        return planned

    def _start_log(self) -> log.LogOutput:
        Disk().make_folder(self._paths.log_file.parent)
        settings = self._settings.log
        self._log = log.start(settings.level, settings.format, self._paths.log_file)
        return self._log

    def _load_or_make_keys(self) -> tuple[NodeKey, OnionKey]:
        if not keys.is_made(self._paths):
            view = make_node(self._paths, self._settings, random=self._surroundings.random)
            _log.info("%s was empty: made a new node, %s, called %s", view.data_dir, view.did, view.name)
        if keys.adopt_credential(self._paths) and self._paths.node_key.exists():
            _log.warning("the node key is a credential now; remove the file %s", self._paths.node_key)
        return load_keys(self._paths)

    def _strangers_key(self, mode: TorMode) -> OnionKey | None:
        """The key of the onion for strangers, made when a service is published for the first time."""
        registry = self._settings.registry
        if not (registry.enabled and registry.onion):
            return None
        key = keys.load_or_make_public_key(self._paths, self._surroundings.random)
        if mode is TorMode.SOCKS:
            export_onion(self._paths, key, PUBLIC_ONION)
        return key
