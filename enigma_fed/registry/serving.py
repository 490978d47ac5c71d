"""A registry put together: its service, its limits, and a server for each listener it is reached by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from enigma_fed.base.clock import Clock
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.registry.doors import Door
from enigma_fed.registry.handlers import Handlers
from enigma_fed.registry.http import HttpDoor, Table
from enigma_fed.registry.limiter import Limiter
from enigma_fed.registry.listener import RegistryListener
from enigma_fed.registry.nodeprobe import Look, NodeProbe
from enigma_fed.registry.peerdoor import PeerDoor
from enigma_fed.registry.pow import ProofOfWork
from enigma_fed.registry.service import Registry
from enigma_fed.registry.settings import RegistrySettings
from enigma_fed.registry.store import RegistryStore

_SECRET_BYTES: Final = 32


class RegistryServer:
    """One registry on any number of listeners."""

    def __init__(
        self,
        settings: RegistrySettings,
        store: RegistryStore,
        key: NodeKey,
        clock: Clock,
        random: Callable[[int], bytes],
        is_peer: Callable[[Did], bool] | None = None,
    ) -> None:
        """See make_registry."""
        self._clock = clock
        self._peers = is_peer
        self.registry = Registry(settings, store, clock, random, key)
        """What it does."""
        self.limiter = Limiter(settings.rate_limit, clock)
        self.pow = ProofOfWork(settings.pow, random(_SECRET_BYTES), clock, random)
        self.counters: Counter[str] = Counter()
        """Requests as `<route>-ok` or `<route>-<code of the error object>`, `other-…` for unknown routes.

        Besides: `bad-http`, `internal` and `evicted` as rpc/connections.py counts them.
        """
        self.peers = PeerDoor(key, self._is_peer, clock)
        self._handlers = Handlers(self.registry, self.peers, self.pow)
        self._tables: dict[bool, Table] = {}
        self._make_tables()

    @property
    def did(self) -> Did:
        """Who it is to peers and owners; never the DID of a node."""
        return self.registry.did

    def server(self, door: Door = Door.TCP) -> RegistryListener:
        """The server of one listener: the factory of its connections, for `web.ServerRunner` too."""
        pow_always = door is Door.ONION
        http = HttpDoor(
            door, lambda: self._tables[pow_always], self.limiter, self.pow, self.counters, self._clock
        )
        listener = RegistryListener(
            http.handle, self._note, self._clock.boot, door, lambda: self.registry.settings.trusted_proxies
        )
        http.listener = listener
        return listener

    def start(self, tasks: Tasks, look: Look | None = None) -> None:
        """Begin what runs in the background; with `look`, nodes that are gone for long leave the list."""
        if look is not None:
            tasks.start("registry nodes", NodeProbe(self.registry.store, self._clock, look).run())
        tasks.start("registry presences", self._collect_presences())

    def reload(self, settings: RegistrySettings) -> None:
        """Go by a changed configuration; where it listens and what it stores in stay as they are."""
        self.registry.replace(settings)
        self.limiter.replace(settings.rate_limit)
        self.pow.replace(settings.pow)
        self._make_tables()

    async def close(self) -> None:
        """Close the store; the listeners are closed before."""
        await self.registry.store.close()

    def _note(self, word: str) -> None:
        self.counters[word] += 1

    def _is_peer(self, did: Did) -> bool:
        return did in self.registry.settings.peers if self._peers is None else self._peers(did)

    def _make_tables(self) -> None:
        settings = self.registry.settings
        for pow_always in (False, True):
            self._tables[pow_always] = self._handlers.table(settings, pow_always=pow_always)

    async def _collect_presences(self) -> None:
        while True:
            await self._clock.sleep(self.registry.settings.presence.gc_interval_seconds)
            while self.registry.presences.collect():
                await self._clock.sleep(0)


def make_registry(
    settings: RegistrySettings,
    store: RegistryStore,
    key: NodeKey,
    clock: Clock,
    random: Callable[[int], bytes],
    is_peer: Callable[[Did], bool] | None = None,
) -> RegistryServer:
    """A registry on an open store.

    `key` is the registry's own, `random` gives secret random bytes, `is_peer` says whose signed requests are
    taken (None: those in `settings.peers`).
    """
    return RegistryServer(settings, store, key, clock, random, is_peer)
