"""The joiner's rules: accepting a code, and what the inviter's answer to the join means. Pure.

PROTOCOL section 4. invites.json (the outbox) is written first and nodes.json follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    AlreadyAccepted,
    AlreadyFederated,
    Conflict,
    InviteExpired,
    InviteForOther,
    InviteSelf,
)
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import AwaitingApproval
from enigma_fed.federation.decision import (
    Decision,
    Order,
    find_holder,
    find_incoming,
    joined_before,
    put_incoming,
    put_node,
    with_invites,
)
from enigma_fed.federation.hashes import kept_hashes
from enigma_fed.federation.names import told
from enigma_fed.wire.invite import Invite
from enigma_fed.wire.records import Ending, IncomingInvite, Membership, Node, Role, Stage, TrustLevel

FINAL_REFUSALS: Final = frozenset({"token-used", "wrong-joiner", "revoked", "removed"})
"""Words of a signed answer that no retry changes."""
OPEN_STAGES: Final = (Stage.ACCEPTED_HERE, Stage.AWAITING_APPROVAL)
"""Stages of a join that still has to be delivered."""
_REFUSED_WORDS: Final = {
    "token-used": "The invite was used by another node. Ask for a new one.",
    "wrong-joiner": "The invite is for another node. Ask for one of your own.",
    "revoked": "The invite was revoked. Ask for a new one.",
    "removed": "That node removed this one. Ask its owner for a new invite.",
}
ENDED: Final[Mapping[Ending, str]] = MappingProxyType(
    {
        Ending.TIME: "The join could not be delivered in time. Ask for a new invite.",
        Ending.NEWER_INVITE: "A newer invite of this node was accepted.",
        Ending.REMOVAL: "The peer was removed here.",
    }
)
"""What the owner is told of a join that this side ended."""


def accept(
    membership: Membership,
    invite: Invite,
    code: str,
    *,
    own: Did,
    trust: TrustLevel,
    now: int,
    last_heard: int | None,
) -> Decision[IncomingInvite]:
    """Record the acceptance of a code whose signature holds (or that the owner takes unsigned).

    `last_heard` is when the peer last answered (Unix time). Raises InviteSelf, InviteForOther,
    InviteExpired, AlreadyAccepted, AlreadyFederated, Conflict.
    """
    _check_code(invite, own, now)
    member = membership.nodes.find(invite.did)
    _check_known(membership, member, invite, now, last_heard)
    grave = membership.nodes.tombstone(invite.did)
    entry = _entry(invite, code, member.trust_level if member else trust, now)
    if grave is not None:  # later than the removal, even when the clock was set back
        entry = msgspec.structs.replace(entry, created_at=max(now, grave.removed_at + 1))
    changed = _record(membership, entry, now)
    return Decision(put_node(changed, joining_node(changed, entry)), entry, Order.INVITES_FIRST)


def joining_node(membership: Membership, entry: IncomingInvite) -> Node:
    """The member that an accepted invite makes; also for the repair after a crash."""
    member = membership.nodes.find(entry.did)
    before = kept_hashes(membership, joined_before(membership, entry.did), entry.created_at)
    return Node(
        did=entry.did,
        onion=entry.onion,
        name=entry.name or (member.name if member else None),
        alias=member.alias if member else None,
        trust_level=entry.trust_level,
        added_at=member.added_at if member else entry.created_at,
        stage=Stage.ACCEPTED_HERE,
        stage_at=entry.stage_at,
        joined_as=Role.JOINER,
        joined_with=before if entry.token_hash in before else (*before, entry.token_hash),
        granted_trust=member.granted_trust if member else None,
        last_seen=member.last_seen if member else None,
        last_state=member.last_state if member else None,
        paused=member.paused if member else False,
        legacy=member.legacy if member else False,
    )


def announced(membership: Membership, token_hash: bytes, granted: TrustLevel, now: int) -> Decision[None]:
    """The inviter said yes: the join is announced; the first answer or request after it confirms."""
    entry = find_incoming(membership, token_hash)
    node = membership.nodes.find(entry.did) if entry else None
    if entry is None or node is None or entry.stage not in OPEN_STAGES:
        return Decision(membership, None)  # removed while the answer was on its way
    done = msgspec.structs.replace(
        entry, code=None, stage=Stage.ANNOUNCED, stage_at=now, last_error=None, last_error_at=None
    )
    if node.confirmed:
        done = confirmed_incoming(done, now)
    node = msgspec.structs.replace(
        node, granted_trust=granted, they_forgot_us=False, last_error=None, last_error_at=None
    )
    if node.stage in (*OPEN_STAGES, Stage.REFUSED):
        node = msgspec.structs.replace(node, stage=Stage.ANNOUNCED, stage_at=now)
    return Decision(put_node(put_incoming(membership, entry, done), node), None)


def tried(membership: Membership, token_hash: bytes, why: str, now: int) -> Decision[None]:
    """A delivery failed and will be tried again."""
    entry = find_incoming(membership, token_hash)
    if entry is None or entry.stage not in OPEN_STAGES:
        return Decision(membership, None)
    failed = msgspec.structs.replace(entry, attempts=entry.attempts + 1, last_error=why, last_error_at=now)
    return Decision(put_incoming(membership, entry, failed), None)


def awaits_approval(membership: Membership, token_hash: bytes, now: int) -> Decision[None]:
    """The code came too late there: its owner has to approve; retries go on slowly."""
    why = "The code had expired when it arrived. The other owner has to approve: enigma-fed peer approve"
    return _move(membership, token_hash, Stage.AWAITING_APPROVAL, why, now)


def join_refused(membership: Membership, token_hash: bytes, word: str, now: int) -> Decision[None]:
    """The inviter signed this word (PROTOCOL section 9) to our join; what is not final is tried again."""
    if word == AwaitingApproval.code:
        return awaits_approval(membership, token_hash, now)
    if word in FINAL_REFUSALS:
        return refused(membership, token_hash, word, now)
    return tried(membership, token_hash, f"The other node says {word}; it is tried again.", now)


def refused(membership: Membership, token_hash: bytes, word: str, now: int) -> Decision[None]:
    """The inviter refused for good, with this word of PROTOCOL section 9."""
    why = _REFUSED_WORDS.get(word, f"That node refused: {word}.")
    return _move(membership, token_hash, Stage.REFUSED, why, now, Ending.REFUSAL)


def give_up(membership: Membership, token_hash: bytes, now: int) -> Decision[None]:
    """End the delivery for good: its time is over."""
    return _move(membership, token_hash, Stage.REFUSED, ENDED[Ending.TIME], now, Ending.TIME)


def delivery_ends(entry: IncomingInvite) -> int:
    """Unix time after which the join is not tried any more."""
    slow = entry.stage is Stage.AWAITING_APPROVAL
    return entry.expires_at + (limits.AWAITING_AFTER_EXPIRY if slow else limits.OUTBOX_AFTER_EXPIRY)


def is_open(entry: IncomingInvite) -> bool:
    """Whether the join still has to be delivered."""
    return entry.code is not None and entry.stage in OPEN_STAGES


def _move(
    membership: Membership, token_hash: bytes, stage: Stage, why: str, now: int, ending: Ending | None = None
) -> Decision[None]:
    entry = find_incoming(membership, token_hash)
    if entry is None or entry.stage not in OPEN_STAGES:
        return Decision(membership, None)
    moved = msgspec.structs.replace(
        entry,
        code=None if stage is Stage.REFUSED else entry.code,
        stage=stage,
        stage_at=entry.stage_at if entry.stage is stage else now,
        attempts=entry.attempts + 1,
        ended_by=ending,
        last_error=why,
        last_error_at=now,
    )
    changed = put_incoming(membership, entry, moved)
    node = changed.nodes.find(entry.did)
    if node is None or node.stage not in OPEN_STAGES or node.stage is stage:
        return Decision(changed, None)
    node = msgspec.structs.replace(node, stage=stage, stage_at=now, last_error=why, last_error_at=now)
    return Decision(put_node(changed, node), None)


def _check_code(invite: Invite, own: Did, now: int) -> None:
    if invite.did == own:
        raise InviteSelf("did: it is this node's own", hint="Give the code to the other home.")
    if invite.for_did is not None and invite.for_did != own:
        raise InviteForOther("for: it names another node", hint="Ask for a code of your own.")
    if invite.expires_at is not None and now >= invite.expires_at:
        raise InviteExpired("exp: its time is over", hint="Ask for a new one.")


def _check_known(
    membership: Membership, member: Node | None, invite: Invite, now: int, last_heard: int | None
) -> None:
    accepted = find_incoming(membership, invite.token_hash)
    holder = find_holder(membership, invite.token_hash)
    if any(entry is not None and entry.did != invite.did for entry in (accepted, holder)):
        raise AlreadyAccepted("its token came with another node's code", hint="Ask for a new one.")
    if member is None:
        return  # a removed peer may return by accepting its code here (invariant 6)
    if accepted is not None or invite.token_hash in member.joined_with:
        raise AlreadyAccepted(hint="See: enigma-fed peer list")
    heard = last_heard is not None and 0 <= now - last_heard < limits.HEARD_RECENTLY
    if member.confirmed and heard and not member.they_forgot_us:
        why = f"{told(member)} answered within a day"
        raise AlreadyFederated(why, hint="What it may do here: enigma-fed peer trust PEER LEVEL")


def _entry(invite: Invite, code: str, trust: TrustLevel, now: int) -> IncomingInvite:
    expires_at = invite.expires_at
    return IncomingInvite(
        code=code.strip(),
        did=invite.did,
        onion=invite.onion,
        name=invite.name,
        token_hash=invite.token_hash,
        created_at=now,
        expires_at=now + limits.INVITE_TTL_DEFAULT if expires_at is None else expires_at,
        trust_level=trust,
        stage=Stage.ACCEPTED_HERE,
        stage_at=now,
    )


def _record(membership: Membership, entry: IncomingInvite, now: int) -> Membership:
    """The outbox with the new entry; an older join to the same peer ends, old ended ones are forgotten."""
    nodes = membership.nodes
    if nodes.find(entry.did) is None and len(nodes.nodes) >= limits.PEERS:
        raise Conflict(f"this node has {limits.PEERS} peers", hint="Remove one first.")
    kept = [_supersede(old, entry, now) for old in membership.invites.incoming]
    ended = [old for old in kept if not is_open(old)]
    oldest = {id(old) for old in ended[: max(0, len(ended) - limits.INVITES_KEPT)]}
    incoming = (*(old for old in kept if id(old) not in oldest), entry)
    return with_invites(membership, msgspec.structs.replace(membership.invites, incoming=incoming))


def _supersede(old: IncomingInvite, entry: IncomingInvite, now: int) -> IncomingInvite:
    if old.did != entry.did or not is_open(old):
        return old
    return ended_incoming(old, Ending.NEWER_INVITE, now)


def confirmed_incoming(entry: IncomingInvite, now: int) -> IncomingInvite:
    """The entry, its join confirmed by both sides."""
    return msgspec.structs.replace(
        entry, code=None, stage=Stage.CONFIRMED_BOTH, stage_at=now, last_error=None, last_error_at=None
    )


def ended_incoming(entry: IncomingInvite, ending: Ending, now: int, why: str = "") -> IncomingInvite:
    """The entry, over for good; `why` where `ENDED` has no words for it."""
    return msgspec.structs.replace(
        entry,
        code=None,
        stage=Stage.REFUSED,
        stage_at=now,
        ended_by=ending,
        last_error=why or ENDED[ending],
        last_error_at=now,
    )
