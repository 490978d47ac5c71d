"""The inviter's rules: making and revoking invites, joins that arrive, approving late ones. Pure.

PROTOCOL section 4. A token is used if and only if its hash stands in nodes.json (`joined_with`),
so nodes.json is written first and invites.json follows.
"""

from __future__ import annotations

from typing import Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import Conflict, FieldInvalid, InviteNotFound, PeerNotFound
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import (
    AwaitingApproval,
    Busy,
    Removed,
    Revoked,
    RpcError,
    TokenUsed,
    UnknownToken,
    WrongJoiner,
)
from enigma_fed.federation.decision import (
    Decision,
    find_holder,
    find_outgoing,
    joined_before,
    put_node,
    put_outgoing,
    put_pending,
    with_invites,
)
from enigma_fed.federation.hashes import kept_hashes
from enigma_fed.wire.join import JoinParams, JoinReply, TokenlessJoin
from enigma_fed.wire.records import (
    Membership,
    Node,
    OutgoingInvite,
    PendingJoin,
    Role,
    Stage,
    Tombstone,
    TrustLevel,
)

_ID_DIGITS: Final = 8
_FOREIGN_TRY: Final = "Another node tried this code after it was used."
_WRONG_TRY: Final = "Another node tried this code than the one that it is for."


def sweep(membership: Membership, now: int) -> Membership:
    """End the invites that are past their time and forget what is too old to keep."""
    invites = membership.invites
    outgoing = tuple(_expire(entry, now) for entry in invites.outgoing)
    ended = [entry for entry in outgoing if entry.stage is not Stage.CREATED]
    if len(ended) > limits.INVITES_KEPT:
        oldest = {id(entry) for entry in ended[: len(ended) - limits.INVITES_KEPT]}
        outgoing = tuple(entry for entry in outgoing if id(entry) not in oldest)
    pending = waiting(membership, now)
    if outgoing == invites.outgoing and pending == invites.pending:
        return membership
    return with_invites(membership, msgspec.structs.replace(invites, outgoing=outgoing, pending=pending))


def waiting(membership: Membership, now: int) -> tuple[PendingJoin, ...]:
    """The joins that wait for the owner and whose time is not over."""
    return tuple(entry for entry in membership.invites.pending if now < entry.expires_at)


def create(membership: Membership, invite: OutgoingInvite, now: int) -> Decision[OutgoingInvite]:
    """Record a new invite; raises FieldInvalid for scope or `for`, Conflict when too many are open.

    Its `created_at` is later than every removal so far, even when the clock was set back: that
    decides whether it lets a removed peer return (invariant 6).
    """
    if invite.scope is TrustLevel.UNTRUSTED:
        raise FieldInvalid("scope must be observer or trusted")
    if invite.for_did == invite.did:
        raise FieldInvalid("for: it names this node itself", hint="Give the DID of the home that may join.")
    swept = sweep(membership, now)
    open_now = sum(entry.stage is Stage.CREATED for entry in swept.invites.outgoing)
    if open_now >= limits.OPEN_INVITES:
        raise Conflict(f"{open_now} invites are open", hint="Revoke one: enigma-fed invite revoke ID")
    newest_removal = max((entry.removed_at for entry in swept.nodes.removed), default=-1)
    invite = msgspec.structs.replace(invite, created_at=max(now, newest_removal + 1))
    invites = msgspec.structs.replace(swept.invites, outgoing=(*swept.invites.outgoing, invite))
    return Decision(with_invites(swept, invites), invite)


def revoke(membership: Membership, invite_id: str, now: int) -> Decision[OutgoingInvite]:
    """End an open invite; raises InviteNotFound, FieldInvalid when ambiguous or short, Conflict when used."""
    found = [
        entry
        for entry in membership.invites.outgoing
        if invite_id and entry.token_hash.hex().startswith(invite_id.lower())
    ]
    if not found:
        raise InviteNotFound(invite_id, hint="See: enigma-fed invite list")
    if len(invite_id) < _ID_DIGITS:
        raise FieldInvalid(f"an invite's ID has {_ID_DIGITS} digits", hint="See: enigma-fed invite list")
    if len(found) > 1:
        raise FieldInvalid(f"{invite_id} begins more than one invite", hint="Give more digits.")
    invite = found[0]
    if invite.stage in (Stage.USED, Stage.CONFIRMED):
        raise Conflict("the invite was used", hint="Remove the peer instead: enigma-fed peer remove PEER")
    if invite.stage is Stage.REVOKED:
        return Decision(membership, invite)
    ended = msgspec.structs.replace(invite, code=None, stage=Stage.REVOKED, stage_at=now)
    changed = put_outgoing(membership, invite, ended)
    left = tuple(entry for entry in changed.invites.pending if entry.token_hash != invite.token_hash)
    if not awaits_tokenless(changed, now):
        left = tuple(entry for entry in left if entry.token_hash is not None)
    return Decision(put_pending(changed, left), ended)


def is_usable(invite: OutgoingInvite, now: int) -> bool:
    """Whether the invite, by itself, still lets somebody join."""
    return invite.stage is Stage.CREATED and now < invite.expires_at


def void_open(membership: Membership, now: int) -> Membership:
    """The membership with every open invite revoked."""
    for entry in membership.invites.outgoing:
        if entry.stage is Stage.CREATED:
            ended = msgspec.structs.replace(entry, code=None, stage=Stage.REVOKED, stage_at=now)
            membership = put_outgoing(membership, entry, ended)
    return membership


def knows_token(membership: Membership, token_hash: bytes) -> bool:
    """Whether a join with this token is worth checking a signature."""
    return (
        find_outgoing(membership, token_hash) is not None or find_holder(membership, token_hash) is not None
    )


def receive(membership: Membership, join: JoinParams, now: int) -> Decision[JoinReply | None]:
    """Answer a join whose signatures hold; raises UnknownToken, Revoked, Removed, Busy.

    The refusals TokenUsed, WrongJoiner and AwaitingApproval come with what there is to store.
    The same joiner with the same token gets the same answer and nothing is written (invariant 3).
    """
    holder = find_holder(membership, join.token_hash)
    invite = find_outgoing(membership, join.token_hash)
    if invite is not None and invite.for_did not in (None, join.did):
        return _refuse_another(membership, invite, WrongJoiner(), _WRONG_TRY, now)
    if holder is not None and holder.did != join.did:
        return _refuse_another(membership, invite, TokenUsed(), _FOREIGN_TRY, now)
    if isinstance(holder, Node):
        return Decision(membership, JoinReply(holder.trust_level))
    if holder is not None:
        raise Removed("a removed peer needs a new invite")
    if invite is None:
        raise UnknownToken
    return _receive_with(membership, join, invite, now)


def _receive_with(
    membership: Membership, join: JoinParams, invite: OutgoingInvite, now: int
) -> Decision[JoinReply | None]:
    member = membership.nodes.find(join.did)
    if invite.stage is Stage.REVOKED:
        raise Revoked
    if invite.stage in (Stage.USED, Stage.CONFIRMED):  # its hash may have left nodes.json after its time
        if invite.used_by == join.did and member is not None:
            return Decision(membership, JoinReply(member.trust_level))
        return _refuse_another(membership, invite, TokenUsed(), _FOREIGN_TRY, now)
    _refuse_removed(membership, join.did, invite)
    if invite.stage is Stage.EXPIRED or now >= invite.expires_at:  # a clock set back opens no old invite
        return _late(membership, join, invite, now)
    joined, node = _let_in(membership, _candidate(join, invite, now), join.token_hash, invite.scope, now)
    return Decision(joined, JoinReply(node.trust_level))


def awaits_tokenless(membership: Membership, now: int) -> bool:
    """Whether a legacy invite is open."""
    return any(entry.legacy and is_usable(entry, now) for entry in membership.invites.outgoing)


def join_without_token(membership: Membership, join: TokenlessJoin, now: int) -> Decision[None]:
    """Keep a join without a token for the owner, while a legacy invite is open that fits it.

    Its inner signature holds. The refusal is AwaitingApproval whether it was kept or not: whoever
    asks has proved nothing, and is not told who is a member here, or was. Raises UnknownToken when
    no legacy invite is open, Busy when too many wait.
    """
    if not awaits_tokenless(membership, now):
        raise UnknownToken("no invite for a join without a token is open")
    refusal = AwaitingApproval("the owner has to approve a join without a token")
    known = waiting(membership, now)
    fitting = _legacy_invites(membership, join.did, now)
    if not fitting or _is_here(membership, join.did, known):
        return Decision(membership, None, refusal=refusal)
    if sum(entry.token_hash is None for entry in known) >= limits.PENDING_JOINS:
        raise Busy("too many joins wait for the owner")
    tombstone = membership.nodes.tombstone(join.did)
    entry = PendingJoin(
        did=join.did,
        onion=join.onion,
        name=None,
        token_hash=None,
        scope=min((invite.scope for invite in fitting), key=lambda scope: scope.rank),
        received_at=now if tombstone is None else max(now, tombstone.removed_at + 1),
        expires_at=max(invite.expires_at for invite in fitting),
        late=False,
    )
    return Decision(put_pending(sweep(membership, now), (*known, entry)), None, refusal=refusal)


def _is_here(membership: Membership, did: Did, known: tuple[PendingJoin, ...]) -> bool:
    return membership.nodes.find(did) is not None or any(entry.did == did for entry in known)


def _legacy_invites(membership: Membership, did: Did, now: int) -> list[OutgoingInvite]:
    """The open legacy invites that could let this DID in, those made for it first."""
    tombstone = membership.nodes.tombstone(did)
    fitting = [
        entry
        for entry in membership.invites.outgoing
        if entry.legacy
        and is_usable(entry, now)
        and entry.for_did in (None, did)
        and find_holder(membership, entry.token_hash) is None
        and (tombstone is None or entry.created_at > tombstone.removed_at)
    ]
    return sorted(fitting, key=lambda entry: entry.for_did is None)


def approve(membership: Membership, did: Did, now: int) -> Decision[Node]:
    """Let a joiner in that waits; raises PeerNotFound, Conflict when its token was used or ended since.

    One without a token uses up a legacy invite that is open, and gets no more than that gives.
    """
    joiner = next((entry for entry in waiting(membership, now) if entry.did == did), None)
    if joiner is None:
        raise PeerNotFound("nobody with this DID waits for approval", hint="See: enigma-fed peer list")
    if joiner.token_hash is None:
        return _approve_tokenless(membership, joiner, now)
    return _approve_with(membership, joiner, joiner.token_hash, now)


def _approve_tokenless(membership: Membership, joiner: PendingJoin, now: int) -> Decision[Node]:
    invites = _legacy_invites(membership, joiner.did, now)
    if not invites:
        hint = "Make one and approve again: enigma-fed invite create --legacy"
        raise Conflict("no invite for a join without a token is open any more", hint=hint)
    invite = invites[0]
    scope = min(joiner.scope, invite.scope, key=lambda scope: scope.rank)
    return _approved(membership, joiner, invite.token_hash, scope, now)


def _approve_with(membership: Membership, joiner: PendingJoin, token_hash: bytes, now: int) -> Decision[Node]:
    did = joiner.did
    if find_holder(membership, token_hash) is not None:
        raise Conflict("its invite was used by another node", hint="Make it a new invite.")
    invite = find_outgoing(membership, token_hash)
    try:
        _refuse_removed(membership, did, invite)
    except Removed:
        raise Conflict("that peer was removed since", hint="Make it a new invite.") from None
    return _approved(membership, joiner, token_hash, joiner.scope, now)


def _approved(
    membership: Membership, joiner: PendingJoin, token_hash: bytes, scope: TrustLevel, now: int
) -> Decision[Node]:
    try:
        joined, node = _let_in(membership, joiner, token_hash, scope, now)
    except Busy as error:
        raise Conflict(error.detail, hint="Remove one first.") from None
    return Decision(joined, node)


def _refuse_removed(membership: Membership, did: Did, invite: OutgoingInvite | None) -> None:
    """Invariant 6: a removed peer returns only by an invite made after the removal."""
    tombstone = membership.nodes.tombstone(did)
    if tombstone is not None and (invite is None or invite.created_at <= tombstone.removed_at):
        raise Removed("a removed peer needs a new invite")


def _refuse_another(
    membership: Membership, invite: OutgoingInvite | None, refusal: RpcError, why: str, now: int
) -> Decision[JoinReply | None]:
    """Refuse a joiner that the invite is not (any more) for, and tell the owner once."""
    if invite is not None and invite.last_error != why:
        told = msgspec.structs.replace(invite, last_error=why, last_error_at=now)
        membership = put_outgoing(membership, invite, told)
    return Decision(membership, None, refusal=refusal)


def _late(
    membership: Membership, join: JoinParams, invite: OutgoingInvite, now: int
) -> Decision[JoinReply | None]:
    refusal = AwaitingApproval("the code had expired when the join arrived")
    known = waiting(membership, now)
    if any(entry.did == join.did and entry.token_hash == join.token_hash for entry in known):
        return Decision(membership, None, refusal=refusal)
    others = tuple(entry for entry in known if entry.did != join.did)
    if sum(entry.token_hash is not None for entry in others) >= limits.PENDING_JOINS:
        raise Busy("too many joins wait for the owner")
    candidate = _candidate(join, invite, now)
    # The owner may have looked already: what waits gets no more by another code.
    scopes = (candidate.scope, *(entry.scope for entry in known if entry.did == join.did))
    candidate = msgspec.structs.replace(candidate, scope=min(scopes, key=lambda scope: scope.rank))
    changed = put_pending(sweep(membership, now), (*others, candidate))
    return Decision(changed, None, refusal=refusal)


def _candidate(join: JoinParams, invite: OutgoingInvite, now: int) -> PendingJoin:
    return PendingJoin(
        did=join.did,
        onion=join.onion,
        name=join.name,
        token_hash=join.token_hash,
        scope=invite.scope,
        received_at=now,
        expires_at=now + limits.AWAITING_AFTER_EXPIRY,
    )


def _let_in(
    membership: Membership, joiner: PendingJoin, token_hash: bytes, scope: TrustLevel, now: int
) -> tuple[Membership, Node]:
    """Make the joiner a member by this token: its entry, the invite used, nothing left waiting."""
    member = membership.nodes.find(joiner.did)
    if member is None and len(membership.nodes.nodes) >= limits.PEERS:
        raise Busy(f"this node has {limits.PEERS} peers")
    kept = kept_hashes(membership, joined_before(membership, joiner.did), now)
    node = Node(
        did=joiner.did,
        onion=joiner.onion,
        name=joiner.name or (member.name if member else None),
        alias=member.alias if member else None,
        # The trust of somebody who is already a member never rises by a join.
        trust_level=member.trust_level if member else scope,
        added_at=member.added_at if member else now,
        stage=Stage.USED,
        stage_at=now,
        joined_as=Role.INVITER,
        joined_with=(*kept, token_hash),
        granted_trust=member.granted_trust if member else None,
        last_seen=member.last_seen if member else None,
        last_state=member.last_state if member else None,
        paused=member.paused if member else False,
        # The Rust agent asks with its old header set alone; who joined by a signed request needs no mark.
        legacy=member.legacy if member else joiner.token_hash is None,
    )
    joined = put_node(membership, node)
    invite = find_outgoing(joined, token_hash)
    if invite is not None:
        joined = put_outgoing(joined, invite, used(invite, node))
    known = joined.invites.pending
    left = tuple(e for e in known if e.did != joiner.did and e.token_hash != token_hash)
    return (joined if left == known else put_pending(joined, left)), node


def used(invite: OutgoingInvite, node: Node) -> OutgoingInvite:
    """The invite, as the entry of its joiner says it stands."""
    return msgspec.structs.replace(
        invite,
        code=None,
        stage=Stage.CONFIRMED if node.confirmed else Stage.USED,
        stage_at=node.stage_at,
        used_by=node.did,
    )


def used_by_removed(invite: OutgoingInvite, tombstone: Tombstone) -> OutgoingInvite:
    """The invite whose token a removed peer holds: used, whatever it was before."""
    if invite.stage in (Stage.USED, Stage.CONFIRMED, Stage.REVOKED):
        return invite
    return msgspec.structs.replace(
        invite, code=None, stage=Stage.USED, stage_at=tombstone.removed_at, used_by=tombstone.did
    )


def _expire(entry: OutgoingInvite, now: int) -> OutgoingInvite:
    if entry.stage is not Stage.CREATED or now < entry.expires_at:
        return entry
    return msgspec.structs.replace(entry, code=None, stage=Stage.EXPIRED, stage_at=entry.expires_at)
