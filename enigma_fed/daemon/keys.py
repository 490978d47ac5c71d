"""Where the node's keys are: credentials of its service (systemd.exec(5)), else key files.

`identity/node.did` in the data folder says that the node key was a credential once: the folder is a
node then, and no other key may take its place.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, KeyElsewhere, NotInitialised, StoreDamaged, WireError
from enigma_fed.daemon.paths import Paths
from enigma_fed.identity import files as identity_files
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.storage import secretfile
from enigma_fed.storage.disk import Disk
from enigma_fed.transports.tor.onionkey import SEED_BYTES, OnionKey

NODE_KEY: Final = "node.key"
ONION_KEY: Final = "onion.key"
PUBLIC_KEY: Final = "public.key"
RESTORE: Final = "Restore it from a backup; or move the whole data folder away and start anew."
_START: Final = "Start the service; commands go through it then: sudo systemctl start enigma-fed"


def is_made(paths: Paths) -> bool:
    """Whether the data folder holds a node, wherever its key is."""
    return paths.node_key.exists() or paths.did_file.exists()


def has_credential(paths: Paths) -> bool:
    """Whether the service got its node key from systemd."""
    return _credential(paths, NODE_KEY) is not None


def adopt_credential(paths: Paths) -> bool:
    """Note whose key the credential holds; False without one.

    Raises ConfigError when the folder is another node's, StoreDamaged, LooseModes, WriteFailed.
    """
    key = _node_credential(paths)
    if key is None:
        return False
    _refuse_other_node(paths, key)
    if not paths.did_file.exists():
        Disk().make_folder(paths.did_file.parent)
        Disk().replace(paths.did_file, f"{key.did}\n".encode("ascii"))
    return True


def load_node_key(paths: Paths) -> NodeKey:
    """The node's key; raises NotInitialised, KeyElsewhere, LooseModes, StoreDamaged, ConfigError."""
    key = _node_credential(paths)
    if key is not None:
        _refuse_other_node(paths, key)
        return key
    if not paths.node_key.exists() and paths.did_file.exists():
        raise KeyElsewhere(str(paths.data_dir), hint=_START)
    return identity_files.load(paths.node_key)


def load_onion_key(paths: Paths) -> OnionKey:
    """The onion's key; raises LooseModes, StoreDamaged."""
    return _load_onion_key(_credential(paths, ONION_KEY), paths.onion_key)


def load_public_key(paths: Paths) -> OnionKey | None:
    """The key of the onion for strangers, None before the first service; raises LooseModes, StoreDamaged."""
    given = _credential(paths, PUBLIC_KEY)
    if given is None and not paths.public_key.exists():
        return None
    return _load_onion_key(given, paths.public_key)


def load_or_make_public_key(paths: Paths, random: Callable[[int], bytes]) -> OnionKey:
    """The same key, made now if need be, by who holds the folder's lock.

    Raises LooseModes, StoreDamaged, WriteFailed.
    """
    found = load_public_key(paths)
    if found is None:
        found = OnionKey.generate(random(SEED_BYTES))
        secretfile.write_new(paths.public_key, found.to_pem())
    return found


def _load_onion_key(given: Path | None, path: Path) -> OnionKey:
    """From a credential, else from a file."""
    path = given or path
    try:
        return OnionKey.from_pem(secretfile.read_credential(path) if given else secretfile.read(path))
    except NotInitialised:
        raise StoreDamaged(f"{path} is missing", hint=RESTORE) from None
    except WireError as error:
        raise StoreDamaged(f"{path}: {error.detail}", hint=RESTORE) from None


def has_onion_key(paths: Paths) -> bool:
    """Whether there is a key of the onion, in a file or as a credential."""
    return _credential(paths, ONION_KEY) is not None or paths.onion_key.exists()


def _credential(paths: Paths, name: str) -> Path | None:
    if paths.credentials_dir is None:
        return None
    path = paths.credentials_dir / name
    return path if path.exists() else None


def _node_credential(paths: Paths) -> NodeKey | None:
    path = _credential(paths, NODE_KEY)
    if path is None:
        return None
    try:
        return NodeKey.from_pem(secretfile.read_credential(path))
    except WireError as error:
        raise StoreDamaged(
            f"the credential {NODE_KEY}: {error.detail}", hint="Load the right file."
        ) from None


def _refuse_other_node(paths: Paths, key: NodeKey) -> None:
    if paths.did_file.exists():
        known = Disk().read(paths.did_file, limits.SECRET_FILE_BYTES).decode("ascii", "replace").strip()
        place = paths.did_file
    elif paths.node_key.exists():
        known, place = str(identity_files.load(paths.node_key).did), paths.node_key
    else:
        return
    if known != str(key.did):
        raise ConfigError(
            f"the credential {NODE_KEY} is the key of another node ({key.did.short}) than {place}",
            hint="Load that node's key, or give the service another data folder",
        )
