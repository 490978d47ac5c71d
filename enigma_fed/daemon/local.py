"""A node without an agent: its files, edited under the folder's lock or only read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from typing import TypeVar, cast

from enigma_fed.base.clock import SystemClock
from enigma_fed.base.errors import EnigmaError
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.config import Settings
from enigma_fed.daemon import degraded
from enigma_fed.daemon.calls import Call, Params
from enigma_fed.daemon.desk import Desk
from enigma_fed.daemon.init import load_keys, node_name, node_view, own_address
from enigma_fed.daemon.operations import Operations
from enigma_fed.daemon.paths import Paths
from enigma_fed.daemon.status import compose
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.state.historyservice import HistoryFile
from enigma_fed.state.historystore import forget_in_file
from enigma_fed.storage.folderlock import FolderLock
from enigma_fed.wire.views import StatusView

R = TypeVar("R")


class LocalOperations(Operations):
    """Serves calls from the files; `lock` is the held lock of a changing command, None to read only."""

    def __init__(self, paths: Paths, settings: Settings, *, lock: FolderLock | None) -> None:
        """Raises NotInitialised, LooseModes, StoreError; then the lock is free again."""
        self._lock = lock
        try:
            self._open(paths, settings)
        except BaseException:
            self.close()
            raise

    def _open(self, paths: Paths, settings: Settings) -> None:
        key, onion = load_keys(paths)
        self._data_dir = paths.data_dir
        self._store = store = FederationStore(paths.data_dir)
        store.open(writable=self._lock is not None)
        self._node = node_view(key, onion, paths, settings)
        self._federation = Federation(
            store,
            key,
            own_address(onion, settings),
            node_name(paths, settings),
            SystemClock(),
            os.urandom,
            Tasks(),
            None,
            Hooks(removed=self._removed),
        )
        past = HistoryFile(paths.data_dir, key.did, time.time, settings.federation.poll_interval)
        self.desk = Desk(self._federation, self._node, self._status, past)

    def call(self, call: Call[R], params: Params) -> R:
        """Serve the call here; raises what the agent would, AgentNotRunning for what needs the network."""
        return cast(R, asyncio.run(self._serve(call, params)))

    def close(self) -> None:
        """Give the folder's lock back."""
        if self._lock is not None:
            self._lock.release()

    def _removed(self, did: Did) -> None:
        """Its history goes with it; what cannot be done now does the agent's next start."""
        with contextlib.suppress(EnigmaError):
            forget_in_file(self._data_dir, did)

    async def _serve(self, call: Call[R], params: Params) -> object:
        try:
            return await self.desk.serve(call, params)
        finally:
            if self._lock is not None:
                await self._store.flush()

    async def _status(self) -> StatusView:
        return compose(
            self._node,
            self._federation.peers(),
            self._federation.invites(),
            None,
            degraded.warnings(self._store, self._federation.suspended()),
            suspended=self._federation.suspended(),
        )
