"""Fixed nodes for tests: the same keys in every run."""

from __future__ import annotations

from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.identity.nodekey import NodeKey


def key(number: int) -> NodeKey:
    """The key of node `number` (0 to 99)."""
    return NodeKey(bytes([number]) * 32)


def did(number: int) -> Did:
    """The DID of node `number`."""
    return key(number).did


def onion(number: int) -> OnionAddress:
    """The onion address of node `number`."""
    return OnionAddress(NodeKey(bytes([number + 100]) * 32).did.public_key)
