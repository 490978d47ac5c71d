"""Rules for members: who may do what, what a contact means, what the owner changes. Pure.

PROTOCOL sections 4 (rights, confirmation), 5 (removal) and 2 (storing a peer's state).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import Conflict, PeerNotFound
from enigma_fed.base.ids import Did
from enigma_fed.base.lookalike import skeleton
from enigma_fed.base.rpc_errors import NotAllowed, Removed, UnknownPeer, Unsigned
from enigma_fed.federation.accepting import confirmed_incoming, ended_incoming, is_open
from enigma_fed.federation.decision import (
    Decision,
    put_incoming,
    put_node,
    put_outgoing,
    put_pending,
    with_nodes,
)
from enigma_fed.federation.hashes import kept_hashes
from enigma_fed.federation.inviting import used_by_removed
from enigma_fed.federation.names import told
from enigma_fed.wire.records import (
    Ending,
    Membership,
    Node,
    Observation,
    OutgoingInvite,
    Role,
    Stage,
    Tombstone,
    TrustLevel,
)
from enigma_fed.wire.windows import Window

FORGOTTEN: Final = (
    "That node does not know this one any more. Ask its owner for a new invite and accept it here."
)
REMOVED_US: Final = "That node removed this one. To federate again, ask its owner for a new invite."


def check_rights(node: Node, needed: TrustLevel | None) -> None:
    """Raise NotAllowed unless the confirmed member has this level (None: any but an untrusted member).

    Before its confirmation a member has no rights.
    """
    if not node.confirmed:
        raise NotAllowed("the join is not confirmed")
    _check_level(node, needed)


def check_legacy(node: Node | None, needed: TrustLevel | None) -> None:
    """Whether a request with the old header set is served; raises Unsigned, NotAllowed.

    The owner's mark stands in for the confirmation, which such a peer cannot give; it gives none either.
    """
    if node is None or not node.legacy or node.stage is Stage.REFUSED:
        raise Unsigned("the request carries no signature")
    _check_level(node, needed)


def _check_level(node: Node, needed: TrustLevel | None) -> None:
    least = TrustLevel.OBSERVER if needed is None else needed
    if node.trust_level.rank < least.rank:
        raise NotAllowed(f"it takes the trust level {least}")


def is_confirmed_by(node: Node, *, join: bool) -> bool:
    """Whether a signed request of this member is news: it confirms the join, or shows that they know us.

    A joiner is confirmed by its first request other than the join; an inviter by any. One that
    refused this node, or removed it, has to answer us first.
    """
    if node.stage is Stage.REFUSED:
        return False
    if node.stage is Stage.USED:
        return not join
    return not node.confirmed or (node.they_forgot_us and not join)


def admit(
    membership: Membership, did: Did, needed: TrustLevel | None, now: int, *, join: bool
) -> Decision[None]:
    """A signed request of this DID: what it confirms, and whether it is served.

    A join is always let through to the rules of section 4. The refusals are UnknownPeer, Removed
    and NotAllowed.
    """
    node = membership.nodes.find(did)
    if node is None:
        removed = membership.nodes.tombstone(did) is not None
        return Decision(membership, None, refusal=None if join else Removed() if removed else UnknownPeer())
    if is_confirmed_by(node, join=join):
        membership = confirm(membership, did, now).membership
        node = membership.nodes.find(did) or node
    try:
        if not join:
            check_rights(node, needed)
    except NotAllowed as refusal:
        return Decision(membership, None, refusal=refusal)
    return Decision(membership, None)


def confirm(membership: Membership, did: Did, now: int, *, name: str | None = None) -> Decision[None]:
    """Both sides have agreed: a signed request of the peer or its answer to a poll shows it.

    `name` is the name that the peer gives itself, None for no news of it. A join of ours that is
    not answered yet is delivered all the same: the peer may know us by another one, and the code's
    token is to be used up.
    """
    node = membership.nodes.find(did)
    if node is None:
        return Decision(membership, None)
    known = _confirmed(node, now)
    if name is not None and name != node.name:
        known = msgspec.structs.replace(known, name=name)
    changed = membership if known is node else put_node(membership, known)
    for outgoing in membership.invites.outgoing:
        if outgoing.used_by == did and outgoing.stage is Stage.USED:
            changed = put_outgoing(changed, outgoing, _at_stage(outgoing, Stage.CONFIRMED, now))
    for incoming in membership.invites.incoming:
        if incoming.did == did and incoming.stage is Stage.ANNOUNCED:
            changed = put_incoming(changed, incoming, confirmed_incoming(incoming, now))
    return Decision(changed, None)


def poll_answered(membership: Membership, asked: Node, now: int, *, name: str | None) -> Decision[None]:
    """The peer answered a poll that went out when it stood as `asked`; `name` as in `confirm`."""
    if _joined_since(membership, asked):
        return Decision(membership, None)
    return confirm(membership, asked.did, now, name=name)


def poll_refused(membership: Membership, asked: Node, word: str, now: int) -> Decision[None]:
    """The peer signed this word (PROTOCOL section 9) to a poll that went out when it stood as `asked`.

    Only a member is told `not-allowed`, so that confirms. After `unknown-peer` and `removed` only
    a new invite helps. What was asked before a newer join says nothing about that one.
    """
    node = membership.nodes.find(asked.did)
    if node is None or _joined_since(membership, asked):
        return Decision(membership, None)
    if word == NotAllowed.code:
        return confirm(membership, node.did, now)
    if word == UnknownPeer.code:
        return _forgotten(membership, node, now)
    return _removed_us(membership, node, now) if word == Removed.code else Decision(membership, None)


def _joined_since(membership: Membership, asked: Node) -> bool:
    node = membership.nodes.find(asked.did)
    return node is not None and node.joined_with != asked.joined_with


def _forgotten(membership: Membership, node: Node, now: int) -> Decision[None]:
    if node.they_forgot_us or node.stage is Stage.REFUSED:
        return Decision(membership, None)  # one that refused our join never knew us
    node = msgspec.structs.replace(node, they_forgot_us=True, last_error=FORGOTTEN, last_error_at=now)
    return Decision(put_node(membership, node), None)


def _removed_us(membership: Membership, node: Node, now: int) -> Decision[None]:
    if node.stage is Stage.REFUSED:
        return Decision(membership, None)
    node = msgspec.structs.replace(
        node, stage=Stage.REFUSED, stage_at=now, last_error=REMOVED_US, last_error_at=now
    )
    changed = put_node(membership, node)
    for incoming in membership.invites.incoming:
        if incoming.did == node.did and is_open(incoming):  # a code of before the removal
            changed = put_incoming(
                changed, incoming, ended_incoming(incoming, Ending.REFUSAL, now, REMOVED_US)
            )
    return Decision(changed, None)


def set_trust(
    membership: Membership, did: Did, level: TrustLevel, legacy: bool | None = None
) -> Decision[Node]:
    """What the peer may do here from now on; `legacy` None leaves that mark as it is."""
    marks = {} if legacy is None else {"legacy": legacy}
    return _edit(membership, did, trust_level=level, **marks)


def pause(membership: Membership, did: Did, paused: bool) -> Decision[Node]:
    """Stop or resume polling the peer; it is served all the same."""
    return _edit(membership, did, paused=paused)


def expect_offline(membership: Membership, did: Did, windows: tuple[Window, ...]) -> Decision[Node]:
    """When the peer is expected to be off; it is polled all the same, which is how its return is noticed."""
    return _edit(membership, did, offline_windows=windows)


def rename(membership: Membership, did: Did, alias: str | None) -> Decision[Node]:
    """Our own name for the peer; raises Conflict when another peer has one that looks like it."""
    for other in membership.nodes.nodes if alias is not None else ():
        theirs = map(skeleton, filter(None, (other.alias, other.name)))
        if other.did != did and skeleton(alias or "") in theirs:
            why = f"{told(other)} is called so, or much alike"
            raise Conflict(why, hint="Choose another name.")
    return _edit(membership, did, alias=alias)


def remove(membership: Membership, did: Did, now: int) -> Decision[None]:
    """Take the peer out and leave a tombstone with every token it came by (invariant 6).

    The removal is later than every invite so far, made or accepted, even when the clock was set
    back: none of them lets the peer return.
    """
    invites = membership.invites
    made = (entry.created_at for entry in invites.outgoing)
    newest_invite = max((*made, *(entry.created_at for entry in invites.incoming)), default=0)
    tokens = kept_hashes(membership, _every_token(membership, did), now)
    tombstone = Tombstone(did=did, removed_at=max(now, newest_invite), joined_with=tokens)
    nodes = membership.nodes
    others = tuple(entry for entry in nodes.removed if entry.did != did)
    removed = (*others[max(0, len(others) + 1 - limits.TOMBSTONES) :], tombstone)
    members = tuple(node for node in nodes.nodes if node.did != did)
    changed = with_nodes(membership, msgspec.structs.replace(nodes, nodes=members, removed=removed))
    for outgoing in invites.outgoing:
        if outgoing.token_hash in tombstone.joined_with:
            changed = put_outgoing(changed, outgoing, used_by_removed(outgoing, tombstone))
    for incoming in invites.incoming:
        if incoming.did == did and (is_open(incoming) or incoming.stage is Stage.ANNOUNCED):
            changed = put_incoming(changed, incoming, ended_incoming(incoming, Ending.REMOVAL, now))
    left = tuple(e for e in invites.pending if e.did != did and e.token_hash not in tombstone.joined_with)
    if left != invites.pending:
        changed = put_pending(changed, left)
    return Decision(changed, None)


def fold(membership: Membership, observations: Mapping[Did, Observation]) -> Membership:
    """nodes.json with what polling learned, for the shutdown."""
    nodes = tuple(_folded(node, observations.get(node.did)) for node in membership.nodes.nodes)
    if all(new is old for new, old in zip(nodes, membership.nodes.nodes, strict=True)):
        return membership
    return with_nodes(membership, msgspec.structs.replace(membership.nodes, nodes=nodes))


def _confirmed(node: Node, now: int) -> Node:
    stage = Stage.CONFIRMED if node.joined_as is not Role.JOINER else Stage.CONFIRMED_BOTH
    if node.confirmed and not node.they_forgot_us:
        return node
    return msgspec.structs.replace(
        node,
        stage=node.stage if node.confirmed else stage,
        stage_at=node.stage_at if node.confirmed else now,
        they_forgot_us=False,
        last_error=None,
        last_error_at=None,
    )


def _at_stage(entry: OutgoingInvite, stage: Stage, now: int) -> OutgoingInvite:
    return msgspec.structs.replace(entry, stage=stage, stage_at=now)


def _edit(membership: Membership, did: Did, **changes: object) -> Decision[Node]:
    node = membership.nodes.find(did)
    if node is None:
        raise PeerNotFound(str(did), hint="See: enigma-fed peer list")
    edited = msgspec.structs.replace(node, **changes)
    if edited == node:
        return Decision(membership, node)
    return Decision(put_node(membership, edited), edited)


def _every_token(membership: Membership, did: Did) -> tuple[bytes, ...]:
    """Token hashes of the DID from its entry and from every invite that concerns it."""
    invites = membership.invites
    entry = membership.nodes.find(did) or membership.nodes.tombstone(did)
    hashes = [] if entry is None else list(entry.joined_with)
    hashes += [incoming.token_hash for incoming in invites.incoming if incoming.did == did]
    hashes += [pending.token_hash for pending in invites.pending if pending.did == did and pending.token_hash]
    return tuple(dict.fromkeys(hashes))


def _folded(node: Node, observation: Observation | None) -> Node:
    if observation is None:
        return node
    seen = max((at for at in (node.last_seen, observation.last_seen) if at is not None), default=None)
    state = node.last_state if observation.state is None else observation.state.snapshot
    if seen == node.last_seen and state == node.last_state:
        return node
    return msgspec.structs.replace(node, last_seen=seen, last_state=state)


def drop_invalid(membership: Membership) -> Membership:
    """Without the entries that are not valid here; the very same when there are none."""
    nodes, invites = membership.nodes, membership.invites
    if not nodes.invalid and not invites.invalid:
        return membership
    return Membership(
        msgspec.structs.replace(nodes, invalid=()), msgspec.structs.replace(invites, invalid=())
    )
