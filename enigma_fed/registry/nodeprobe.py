"""Nodes of the list that cannot be reached for long leave it (docs/REGISTRY.md section 4).

Looking at strangers' addresses is what whoever put them there may have wanted: a look is one TCP connection
that says nothing, to a public address, seldom, and few at a time. `registry serve` looks; an agent does not.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias
from urllib.parse import urlsplit

from enigma_fed.base import registry_limits as limits
from enigma_fed.base.clock import Clock
from enigma_fed.registry.noderules import NodeHealth, due, is_public_address
from enigma_fed.registry.store import RegistryStore

Look: TypeAlias = Callable[[str], Awaitable[bool]]
"""Whether the node at a URL can be reached, as far as that can be told from here."""


class NodeProbe:
    """Looks at the nodes of a store in turn."""

    def __init__(self, store: RegistryStore, clock: Clock, look: Look) -> None:
        self._store = store
        self._clock = clock
        self._look = look
        self._health: dict[str, NodeHealth] = {}

    async def run(self) -> None:
        """Look around for ever."""
        while True:
            await self._clock.sleep(limits.NODE_PROBE_PAUSE)
            await self.round()

    async def round(self) -> int:
        """Look at those that are due, take off the list what is gone: how many were."""
        now = self._clock.boot()
        listed = self._store.nodes()
        self._health = {url: self._health.get(url) or NodeHealth.new(now) for url in listed}
        waiting = due(self._health, now)
        seen = await asyncio.gather(*map(self._look, waiting))
        if len(seen) > 1 and not any(seen):
            return 0  # more likely it is this machine that nothing leads from
        for url, answered in zip(waiting, seen, strict=True):
            self._health[url] = self._health[url].after(now, answered=answered)
        gone = [url for url in waiting if self._health[url].gone(now)]
        return await self._store.drop_nodes(gone) if gone else 0


async def look_directly(url: str) -> bool:
    """Whether a TCP connection to a node stands; one that is an onion is taken for reachable.

    It is not, where its name leads to no public address: nothing is sent to any other.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if host.endswith(".onion"):
        return True
    try:
        async with asyncio.timeout(limits.NODE_PROBE_TIMEOUT):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = [str(each[4][0]) for each in found]
            public = [address for address in addresses if is_public_address(address)]
            if not public:
                return False
            _, writer = await asyncio.open_connection(public[0], port)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            return True
    except (OSError, TimeoutError):
        return False
