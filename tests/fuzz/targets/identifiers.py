"""DIDs, key ids, onion addresses, names: what a node calls itself and others (invariant 4)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import DidInvalid, FieldInvalid, OnionInvalid
from enigma_fed.base.ids import Did, OnionAddress, is_public_key, parse_node_name
from tests.fuzz.target import REFUSED, Target, attempt, header_text, to_bytes
from tests.support.identities import did, onion

VECTORS: Final = Path(__file__).parents[2] / "vectors"


def did_text(data: bytes) -> bool:
    """A DID is the one text of its key, and the key is usable."""
    text = header_text(data)
    node = attempt(lambda: Did.parse(text), DidInvalid)
    if not isinstance(node, Did):
        return False
    assert str(node) == text
    assert is_public_key(node.public_key)
    assert Did.parse_url(node.url) == node
    return True


def did_url(data: bytes) -> bool:
    """A key id is the one text of its key."""
    text = header_text(data)
    node = attempt(lambda: Did.parse_url(text), DidInvalid)
    if not isinstance(node, Did):
        return False
    assert node.url == text
    return True


def onion_text(data: bytes) -> bool:
    """An onion address is the one text of its key."""
    text = header_text(data)
    onion_address = attempt(lambda: OnionAddress.parse(text), OnionInvalid)
    if not isinstance(onion_address, OnionAddress):
        return False
    assert str(onion_address) == text
    assert len(text) == 62
    return True


def onion_key(data: bytes) -> bool:
    """With a right checksum it is the key alone that decides."""
    key = data[:32].ljust(32, b"\0")
    checksum = hashlib.sha3_256(b".onion checksum" + key + b"\x03").digest()[:2]
    text = base64.b32encode(key + checksum + b"\x03").decode().lower() + ".onion"
    accepted = attempt(lambda: OnionAddress.parse(text), OnionInvalid)
    assert (accepted is not REFUSED) == is_public_key(key)
    return accepted is not REFUSED


def node_name(data: bytes) -> bool:
    """A name is short, and nothing in it is unseen."""
    text = header_text(data)
    name = attempt(lambda: parse_node_name(text), FieldInvalid)
    if not isinstance(name, str):
        return False
    assert name == text == name.strip()
    assert 0 < len(name.encode()) <= limits.NODE_NAME_BYTES
    assert name.isprintable()
    return True


def vectors(name: str) -> Callable[[], Iterable[bytes]]:
    """The inputs of a file of text vectors."""
    return lambda: (
        to_bytes(row["input"]) for row in json.loads((VECTORS / name).read_text(encoding="utf-8"))
    )


def _names() -> Iterable[bytes]:
    return map(
        to_bytes, ("attic", "Zoë's server", "家", "a" * 64, "a" * 65, " x", "a\u202eb", "z6Mkx", "\u2800")
    )


TARGETS: Final = (
    Target("did", did_text, vectors("did.json"), longest=128),
    Target(
        "did-url",
        did_url,
        lambda: (did(1).url.encode(), str(did(1)).encode(), f"{did(1)}#x".encode()),
        longest=192,
    ),
    Target("onion", onion_text, vectors("onion.json"), longest=128),
    Target("onion-key", onion_key, lambda: (onion(1).public_key, bytes(32), b"\xff" * 32, b"\1"), longest=32),
    Target("node-name", node_name, _names, longest=128),
)
