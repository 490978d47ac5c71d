"""Making a node: its two keys and its empty files, in an order that can be repeated after a crash."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import AlreadyInitialised, EnigmaError, StoreDamaged
from enigma_fed.base.ids import OnionAddress, parse_node_name
from enigma_fed.config import Settings
from enigma_fed.daemon import keys
from enigma_fed.daemon.paths import Paths
from enigma_fed.federation.store import FederationStore
from enigma_fed.identity import files as identity_files
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.storage import secretfile
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.folderlock import FolderLock
from enigma_fed.storage.jsonfile import JsonFile
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.wire import nodesfile
from enigma_fed.wire.records import Membership
from enigma_fed.wire.views import NodeView

Random = Callable[[int], bytes]
_SEED_BYTES: Final = 32
_FALLBACK_NAME: Final = "home"


def initialise(
    paths: Paths, settings: Settings, *, name: str | None = None, random: Random = os.urandom
) -> NodeView:
    """Make a new node under the folder's lock; `name` is kept in the data folder, `node.name` is stronger.

    Raises AlreadyInitialised when there is a node, StoreDamaged when there are members but no
    key, FieldInvalid for a bad name, LockBusy, LooseModes, WriteFailed.
    """
    if name is not None:
        parse_node_name(name)
    _refuse_if_there(paths)
    with FolderLock(paths.data_dir) as lock:
        lock.acquire(limits.LOCK_WAIT)
        return make_node(paths, settings, name=name, random=random)


def make_node(
    paths: Paths, settings: Settings, *, name: str | None = None, random: Random = os.urandom
) -> NodeView:
    """`initialise` for who holds the folder's lock. The node key comes last: without it nothing is a node."""
    _refuse_if_there(paths)
    _refuse_if_members(paths)
    for folder in (paths.data_dir, *paths.folders):
        Disk().make_folder(folder)
    _ensure_onion_key(paths, random)
    FederationStore.create(paths.data_dir)
    if name is not None:
        Disk().replace(paths.name_file, name.encode("utf-8"))
    if keys.has_credential(paths):
        keys.adopt_credential(paths)
    else:
        identity_files.create(paths.node_key, random(_SEED_BYTES))
    return node_view(keys.load_node_key(paths), keys.load_onion_key(paths), paths, settings)


def load_keys(paths: Paths) -> tuple[NodeKey, OnionKey]:
    """Both keys of a node; raises NotInitialised, KeyElsewhere, LooseModes, StoreDamaged, ConfigError."""
    if not keys.is_made(paths) and not keys.has_credential(paths):
        _refuse_if_members(paths)
    return keys.load_node_key(paths), keys.load_onion_key(paths)


def read_membership(paths: Paths) -> Membership:
    """The members and invites as they stand in the files, nothing written; raises StoreError, LooseModes."""
    store = FederationStore(paths.data_dir)
    store.open(writable=False)
    return store.membership


def node_name(paths: Paths, settings: Settings) -> str:
    """The configured name, else the one given to `init`, else the machine's host name."""
    return settings.node.name or _name_from_init(paths.name_file) or _host_name()


def own_address(onion: OnionKey, settings: Settings) -> OnionAddress:
    """The node's onion address: its own key's, or that of the service that the owner's tor made."""
    return OnionAddress.parse(settings.tor.onion) if settings.tor.onion else onion.address


def node_view(key: NodeKey, onion: OnionKey, paths: Paths, settings: Settings) -> NodeView:
    """Who this node is; raises LooseModes, StoreDamaged for the key of the onion for strangers."""
    strangers = keys.load_public_key(paths)
    return NodeView(
        did=str(key.did),
        pubkey=key.did.public_key.hex(),
        onion=str(own_address(onion, settings)),
        name=node_name(paths, settings),
        fingerprint=key.did.fingerprint,
        data_dir=str(paths.data_dir),
        public_onion=None if strangers is None else str(strangers.address),
    )


def _refuse_if_there(paths: Paths) -> None:
    if keys.is_made(paths):
        raise AlreadyInitialised(str(paths.data_dir), hint="See who it is: enigma-fed id")


def _refuse_if_members(paths: Paths) -> None:
    """Files of a node whose key is gone must not become another's; credentials are the owner's own word."""
    if keys.has_credential(paths) and keys.has_onion_key(paths):
        return
    file = JsonFile(paths.federation_dir / "nodes.json", nodesfile.NodeEncoder().encode, nodesfile.decode)
    if not file.exists():
        return
    nodes = file.read()
    if nodes.nodes or nodes.removed or nodes.invalid:
        gone = paths.onion_key if keys.has_credential(paths) else paths.node_key
        raise StoreDamaged(f"{gone} is missing, but the node has members", hint=keys.RESTORE)


def _ensure_onion_key(paths: Paths, random: Random) -> None:
    """An onion key from an earlier, broken-off start is kept: somebody may have noted its address."""
    if keys.has_onion_key(paths):
        keys.load_onion_key(paths)
    else:
        secretfile.write_new(paths.onion_key, OnionKey.generate(random(_SEED_BYTES)).to_pem())


def _name_from_init(path: Path) -> str:
    try:
        return parse_node_name(Disk().read(path, limits.NODE_NAME_BYTES).decode("utf-8"))
    except (EnigmaError, OSError, UnicodeDecodeError):
        return ""


def _host_name() -> str:
    try:
        return parse_node_name(socket.gethostname().partition(".")[0][: limits.NODE_NAME_BYTES])
    except EnigmaError:
        return _FALLBACK_NAME
