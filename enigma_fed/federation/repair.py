"""Bringing the two files into line after a crash between their writes (PROTOCOL section 4). Pure.

nodes.json is the record: what it says of a token, invites.json follows. The other way round goes
only the joiner's outbox, which is written before its node.
"""

from __future__ import annotations

import msgspec

from enigma_fed.federation.accepting import ENDED, confirmed_incoming, ended_incoming, is_open, joining_node
from enigma_fed.federation.decision import (
    find_holder,
    put_incoming,
    put_node,
    put_outgoing,
    put_pending,
)
from enigma_fed.federation.inviting import used, used_by_removed
from enigma_fed.wire.records import (
    Ending,
    IncomingInvite,
    Membership,
    Node,
    OutgoingInvite,
    PendingJoin,
    Stage,
    Tombstone,
)


def repair(membership: Membership) -> Membership:
    """The membership as it should stand; the very same value when nothing is to be done."""
    repaired = membership
    for outgoing in membership.invites.outgoing:
        repaired = _outgoing(repaired, outgoing)
    for incoming in membership.invites.incoming:
        repaired = _incoming(repaired, incoming)
    waiting = repaired.invites.pending
    left = tuple(entry for entry in waiting if not _is_answered(repaired, entry))
    return repaired if left == waiting else put_pending(repaired, left)


def _outgoing(membership: Membership, entry: OutgoingInvite) -> Membership:
    """An invite whose token nodes.json holds was used, whatever invites.json says."""
    holder = find_holder(membership, entry.token_hash)
    if holder is None or entry.stage in (Stage.CONFIRMED, Stage.REVOKED):
        return membership
    if isinstance(holder, Tombstone):
        ended = used_by_removed(entry, holder)
        return membership if ended is entry else put_outgoing(membership, entry, ended)
    if entry.stage is Stage.USED and not holder.confirmed:
        return membership
    return put_outgoing(membership, entry, used(entry, holder))


def _is_answered(membership: Membership, entry: PendingJoin) -> bool:
    """Whether the join waits no more: its token was used; without one, its DID came in or was removed."""
    if entry.token_hash is None:
        tombstone = membership.nodes.tombstone(entry.did)
        removed = tombstone is not None and tombstone.removed_at >= entry.received_at
        return removed or membership.nodes.find(entry.did) is not None
    return find_holder(membership, entry.token_hash) is not None


def _incoming(membership: Membership, entry: IncomingInvite) -> Membership:
    """An open join needs its node; a join whose node went on or was removed is over."""
    if not is_open(entry) and entry.stage is not Stage.ANNOUNCED:
        return membership
    holder = find_holder(membership, entry.token_hash)
    if isinstance(holder, Tombstone) and entry.created_at <= holder.removed_at:
        return put_incoming(membership, entry, ended_incoming(entry, Ending.REMOVAL, holder.removed_at))
    if not isinstance(holder, Node):  # not written yet, after a removal too
        if entry.stage is Stage.ANNOUNCED:
            return membership
        return put_node(membership, joining_node(membership, entry))
    return _follow(membership, entry, holder)


def _follow(membership: Membership, entry: IncomingInvite, node: Node) -> Membership:
    """A join goes on until nodes.json says that it was answered; then it is confirmed with its node."""
    if node.did != entry.did:
        return membership
    if entry.stage is Stage.ANNOUNCED:
        sure = confirmed_incoming(entry, node.stage_at) if node.confirmed else entry
        return membership if sure is entry else put_incoming(membership, entry, sure)
    if (
        node.stage not in (Stage.ANNOUNCED, Stage.REFUSED, Stage.AWAITING_APPROVAL)
        or node.stage is entry.stage
    ):
        return membership
    if node.stage is Stage.REFUSED:
        ending = Ending.TIME if node.last_error == ENDED[Ending.TIME] else Ending.REFUSAL
        ended = ended_incoming(entry, ending, node.stage_at, node.last_error or "It was refused.")
        return put_incoming(membership, entry, ended)
    code = entry.code if node.stage is Stage.AWAITING_APPROVAL else None
    followed = msgspec.structs.replace(entry, code=code, stage=node.stage, stage_at=node.stage_at)
    return put_incoming(membership, entry, followed)
