"""Finding the peer that the owner means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final, TypeVar

from enigma_fed.base.errors import FieldInvalid, PeerNotFound
from enigma_fed.base.lookalike import skeleton
from enigma_fed.wire.records import Node, PendingJoin

_DID: Final = "did:key:"
_PREFIX_CHARACTERS: Final = 6
_CANDIDATES: Final = 5
"""Peers that are named where a reference fits several."""

Peer = TypeVar("Peer", Node, PendingJoin)


def find_peer(ref: str, peers: Iterable[Peer], also: Iterable[Node] = ()) -> Peer:
    """The peer of this DID, alias, name, or of six or more first characters of its DID after `did:key:`.

    A whole DID goes before the owner's alias, that before the rest: a peer chooses its own name, so
    the name never wins over another peer's DID, nor where another peer's looks like it.
    Raises PeerNotFound, which proposes one of them or of `also`, and FieldInvalid when several fit, naming
    them.
    """
    known: list[Peer] = list(peers)
    for fits in (_is_did, _is_alias, _is_named_or_begins):
        found = [peer for peer in known if fits(peer, ref)]
        if found:
            break
    else:
        raise PeerNotFound(ref, hint=f"{_proposal(ref, [*known, *also])}See: enigma-fed peer list")
    if fits is _is_named_or_begins:
        like = skeleton(ref)
        found += [peer for peer in known if peer not in found and _is_like(peer, like)]
    return _only(ref, found)


def _proposal(ref: str, known: Sequence[Node | PendingJoin]) -> str:
    """Whose name is this one but for the case of its letters, or a slip."""
    called: dict[str, Node | PendingJoin] = {}
    for peer in known:
        name = (peer.alias if isinstance(peer, Node) else None) or peer.name
        if name is not None and (name.casefold() == ref.casefold() or skeleton(name) != skeleton(ref)):
            called.setdefault(name.casefold(), peer)  # one that only looks like it may wait for that
    close = get_close_matches(ref.casefold(), called, n=1)
    return f"Did you mean {_called(called[close[0]])}? " if close else ""


def _only(ref: str, found: Sequence[Peer]) -> Peer:
    if len(found) == 1:
        return found[0]
    shown = ", ".join(f"{_called(peer)} {peer.did}" for peer in found[:_CANDIDATES])
    more = ", and more" if len(found) > _CANDIDATES else ""
    raise FieldInvalid(
        f"{ref} fits {len(found)} peers: {shown}{more}",
        hint="Give the DID of the one you mean; peer rename gives it a name that is yours alone.",
    )


def _called(peer: Node | PendingJoin) -> str:
    """Its name in quotes that none of its characters ends."""
    name = (peer.alias if isinstance(peer, Node) else None) or peer.name
    return "(no name)" if name is None else f"“{name.translate({0x201C: '?', 0x201D: '?'})}”"


def _is_did(peer: Node | PendingJoin, ref: str) -> bool:
    return str(peer.did) == ref


def _is_alias(peer: Node | PendingJoin, ref: str) -> bool:
    return isinstance(peer, Node) and peer.alias == ref


def _is_named_or_begins(peer: Node | PendingJoin, ref: str) -> bool:
    return peer.name == ref or _begins(peer, ref)


def _is_like(peer: Node | PendingJoin, like: str) -> bool:
    names = (peer.name, peer.alias if isinstance(peer, Node) else None)
    return any(name is not None and skeleton(name) == like for name in names)


def _begins(peer: Node | PendingJoin, ref: str) -> bool:
    start = ref.removeprefix(_DID)
    return len(start) >= _PREFIX_CHARACTERS and str(peer.did).removeprefix(_DID).startswith(start)
