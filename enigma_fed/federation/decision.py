"""What a membership rule decides: the new membership and what the asker gets. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from enigma_fed.base.errors import EnigmaError
from enigma_fed.base.ids import Did
from enigma_fed.wire.records import (
    IncomingInvite,
    InvitesFile,
    Membership,
    Node,
    NodesFile,
    OutgoingInvite,
    PendingJoin,
    Tombstone,
)

T = TypeVar("T")
R = TypeVar("R", Node, Tombstone, OutgoingInvite, IncomingInvite)


class Order(enum.Enum):
    """Which file is written first; a crash in between is repaired from it (PROTOCOL section 4)."""

    NODES_FIRST = "nodes-first"
    INVITES_FIRST = "invites-first"


class File(enum.Enum):
    """The files that a membership lies in."""

    NODES = "nodes.json"
    INVITES = "invites.json"


def written(stored: Membership, new: Membership, order: Order) -> tuple[File, ...]:
    """The files to write for `new` over `stored`, in this order."""
    changed = [(File.NODES, stored.nodes != new.nodes), (File.INVITES, stored.invites != new.invites)]
    files = [file for file, differs in changed if differs]
    return tuple(files if order is Order.NODES_FIRST else reversed(files))


@dataclass(frozen=True, slots=True)
class Decision(Generic[T]):
    """The membership to store (the very same value: nothing to write) and the result.

    A `refusal` is raised to the asker after the membership was stored.
    """

    membership: Membership
    result: T
    order: Order = Order.NODES_FIRST
    refusal: EnigmaError | None = None


Decide = Callable[[Membership], Decision[T]]


def with_nodes(membership: Membership, nodes: NodesFile) -> Membership:
    """The membership with other nodes."""
    return msgspec.structs.replace(membership, nodes=nodes)


def with_invites(membership: Membership, invites: InvitesFile) -> Membership:
    """The membership with other invites."""
    return msgspec.structs.replace(membership, invites=invites)


def put_node(membership: Membership, node: Node) -> Membership:
    """The membership with this entry for its DID, and without a tombstone of it."""
    nodes = membership.nodes
    known = nodes.find(node.did)
    members = (*nodes.nodes, node) if known is None else _swap(nodes.nodes, known, node)
    removed = nodes.removed
    if nodes.tombstone(node.did) is not None:
        removed = tuple(entry for entry in removed if entry.did != node.did)
    return with_nodes(membership, msgspec.structs.replace(nodes, nodes=members, removed=removed))


def put_outgoing(membership: Membership, old: OutgoingInvite, new: OutgoingInvite) -> Membership:
    """The membership with `new` in the place of `old`."""
    outgoing = _swap(membership.invites.outgoing, old, new)
    return with_invites(membership, msgspec.structs.replace(membership.invites, outgoing=outgoing))


def put_incoming(membership: Membership, old: IncomingInvite, new: IncomingInvite) -> Membership:
    """The membership with `new` in the place of `old`."""
    incoming = _swap(membership.invites.incoming, old, new)
    return with_invites(membership, msgspec.structs.replace(membership.invites, incoming=incoming))


def put_pending(membership: Membership, pending: Iterable[PendingJoin]) -> Membership:
    """The membership with these joins waiting."""
    invites = msgspec.structs.replace(membership.invites, pending=tuple(pending))
    return with_invites(membership, invites)


def find_outgoing(membership: Membership, token_hash: bytes) -> OutgoingInvite | None:
    """The invite made here with this token."""
    return next((entry for entry in membership.invites.outgoing if entry.token_hash == token_hash), None)


def find_incoming(membership: Membership, token_hash: bytes) -> IncomingInvite | None:
    """The newest invite accepted here with this token."""
    entries = reversed(membership.invites.incoming)
    return next((entry for entry in entries if entry.token_hash == token_hash), None)


def find_holder(membership: Membership, token_hash: bytes) -> Node | Tombstone | None:
    """Who joined with this token: the commit record (PROTOCOL section 4)."""
    entries: tuple[Node | Tombstone, ...] = (*membership.nodes.nodes, *membership.nodes.removed)
    return next((entry for entry in entries if token_hash in entry.joined_with), None)


def joined_before(membership: Membership, did: Did) -> tuple[bytes, ...]:
    """The token hashes that the member or tombstone of this DID holds."""
    entry = membership.nodes.find(did) or membership.nodes.tombstone(did)
    return () if entry is None else entry.joined_with


def _swap(entries: tuple[R, ...], old: R, new: R) -> tuple[R, ...]:
    return tuple(new if entry is old else entry for entry in entries)
