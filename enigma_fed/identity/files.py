"""The node key's file, `<data>/identity/node.key` (docs/FILES.md)."""

from __future__ import annotations

from pathlib import Path

from enigma_fed.base.errors import StoreDamaged, WireError
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.storage import secretfile


def create(path: Path, seed: bytes) -> NodeKey:
    """Write a new key made of 32 random bytes; raises AlreadyInitialised when the file exists."""
    key = NodeKey.generate(seed)
    secretfile.write_new(path, key.to_pem())
    return key


def load(path: Path) -> NodeKey:
    """Read the key; raises NotInitialised, LooseModes, StoreDamaged."""
    try:
        return NodeKey.from_pem(secretfile.read(path))
    except WireError as error:
        raise StoreDamaged(f"{path}: {error.detail}", hint="Restore it from a backup.") from None
