"""A registry put together, for the agent and for the server that runs alone."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from typing import Final

from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import AlreadyInitialised, StoreDamaged
from enigma_fed.base.ids import Did
from enigma_fed.identity import files
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.registry.serving import RegistryServer, make_registry
from enigma_fed.registry.settings import RegistrySettings, StorageSettings
from enigma_fed.registry.store import RegistryStore
from enigma_fed.registry.storememory import MemoryStore
from enigma_fed.registry.storesqlite import SqliteStore

KEY_FILE: Final = "registry.key"
"""The registry's own Ed25519 key, in the folder of its database."""
_SEED_BYTES: Final = 32
_KEEP: Final = "Owners and peers know the registry by it: put the backup of the folder in its place."


async def open_registry(
    settings: RegistrySettings,
    clock: Clock,
    random: Callable[[int], bytes],
    is_peer: Callable[[Did], bool] | None = None,
) -> RegistryServer:
    """A registry on its store, which is made at the first start; close it in the end.

    `random` gives secret random bytes; `is_peer` says whose signed requests are taken, None: the peers of the
    settings. Raises RegistryRunning, ForeignStore, StoreDamaged, StoreNewer, LooseModes, WriteFailed.
    """
    store = await asyncio.to_thread(_open_store, settings.storage)
    try:
        key = await asyncio.to_thread(own_key, settings.storage, random, first=store.count == 0)
        return make_registry(settings, store, key, clock, random, is_peer)
    except BaseException:
        await store.close()
        raise


def own_key(storage: StorageSettings, random: Callable[[int], bytes], *, first: bool) -> NodeKey:
    """Who this registry is to its peers and to the owners of identities: never the key of a node.

    Made while nobody is registered (`first`); in memory it is another one each time. The folder is there and
    locked. Blocks. Raises LooseModes, StoreDamaged (also when it is missing later), WriteFailed.
    """
    if storage.kind == "memory":
        return NodeKey.generate(random(_SEED_BYTES))
    path = storage.path / KEY_FILE
    if not first and not path.exists():
        another = f"openssl genpkey -algorithm ed25519 -out {shlex.quote(str(path))}"
        hint = f"{_KEEP} There is none: {another} makes another key, and owners' clients ask about it."
        raise StoreDamaged(f"{path} is missing", hint=hint)
    try:
        return files.create(path, random(_SEED_BYTES))
    except AlreadyInitialised:
        return files.load(path)


def _open_store(storage: StorageSettings) -> RegistryStore:
    store: RegistryStore = MemoryStore() if storage.kind == "memory" else SqliteStore(storage.path)
    store.open()
    return store
