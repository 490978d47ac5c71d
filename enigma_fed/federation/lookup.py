"""Finding the peer that the owner means. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from enigma_fed.base.errors import FieldInvalid, PeerNotFound
from enigma_fed.wire.records import Node, PendingJoin

_DID: Final = "did:key:"
_PREFIX_CHARACTERS: Final = 6

Peer = TypeVar("Peer", Node, PendingJoin)


def find_peer(ref: str, peers: Iterable[Peer]) -> Peer:
    """The peer of this DID, alias, name, or of six or more first characters of its DID after `did:key:`.

    A whole DID goes before the owner's alias, that before the rest: a peer chooses its own name, so
    the name never wins over another peer's DID. Raises PeerNotFound, and FieldInvalid when several fit.
    """
    known = list(peers)
    for fits in (_is_did, _is_alias, _is_named_or_begins):
        found = [peer for peer in known if fits(peer, ref)]
        if len(found) > 1:
            raise FieldInvalid(f"{ref} fits {len(found)} peers", hint="Give its DID: enigma-fed peer list")
        if found:
            return found[0]
    raise PeerNotFound(ref, hint="See: enigma-fed peer list")


def _is_did(peer: Node | PendingJoin, ref: str) -> bool:
    return str(peer.did) == ref


def _is_alias(peer: Node | PendingJoin, ref: str) -> bool:
    return isinstance(peer, Node) and peer.alias == ref


def _is_named_or_begins(peer: Node | PendingJoin, ref: str) -> bool:
    return peer.name == ref or _begins(peer, ref)


def _begins(peer: Node | PendingJoin, ref: str) -> bool:
    start = ref.removeprefix(_DID)
    return len(start) >= _PREFIX_CHARACTERS and str(peer.did).removeprefix(_DID).startswith(start)
