"""What the log says of a change of the membership: one plain line per thing that happened. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from enigma_fed.federation.names import told, told_by
from enigma_fed.wire.records import (
    IncomingInvite,
    Membership,
    Node,
    OutgoingInvite,
    Stage,
)

_MEMBER: Final = {
    Stage.USED: "{who} joined with an invite of this node, as {trust}",
    Stage.CONFIRMED: "{who} is confirmed on both sides",
    Stage.CONFIRMED_BOTH: "{who} is confirmed on both sides",
    Stage.ACCEPTED_HERE: "the invite of {who} was accepted here",
    Stage.ANNOUNCED: "{who} has let this node in",
    Stage.AWAITING_APPROVAL: "{who} has to approve: the code came too late",
    Stage.REFUSED: "{who} refused: {why}",
}


_LEGACY: Final = "may ask for this node's state with the old, replayable header set"
_NOT_LEGACY: Final = "may no longer ask with the old header set"


def changes(before: Membership, after: Membership) -> Iterator[str]:
    """The lines of the log; none when nothing changed that an owner would ask for later."""
    if before is after:
        return
    yield from _members(before, after)
    yield from _made(before, after)
    yield from _joins(before, after)
    known = {(entry.did, entry.token_hash) for entry in before.invites.pending}
    for entry in after.invites.pending:
        if (entry.did, entry.token_hash) not in known:
            how = "with an expired code" if entry.late else "without a code"
            yield f"{told_by(entry.name, entry.did)} joined {how} and waits for approval"
    dropped = _invalid(before) - _invalid(after)
    if dropped > 0:
        yield f"entries that are not valid here were dropped from the files: {dropped}"


def _invalid(membership: Membership) -> int:
    return len(membership.nodes.invalid) + len(membership.invites.invalid)


def _members(before: Membership, after: Membership) -> Iterator[str]:
    old = {node.did: node for node in before.nodes.nodes}
    new = {node.did: node for node in after.nodes.nodes}
    for did in old.keys() - new.keys():
        yield f"{told(old[did])} was removed"
    for did, node in new.items():
        yield from _member(old.get(did), node)


def _member(old: Node | None, new: Node) -> Iterator[str]:
    if old is new:
        return
    if old is None or old.stage is not new.stage:
        why = new.last_error or "no reason given"
        yield _MEMBER[new.stage].format(who=told(new), trust=new.trust_level, why=why)
    if old is not None and old.trust_level is not new.trust_level:
        yield f"{told(new)} is {new.trust_level} here now, {old.trust_level} before"
    if new.legacy is not (old is not None and old.legacy):
        yield f"{told(new)} {_LEGACY if new.legacy else _NOT_LEGACY}"
    if new.they_forgot_us and (old is None or not old.they_forgot_us):
        yield f"{told(new)} no longer knows this node"


def _made(before: Membership, after: Membership) -> Iterator[str]:
    old = {entry.token_hash: entry for entry in before.invites.outgoing}
    for entry in after.invites.outgoing:
        yield from _invite(old.get(entry.token_hash), entry)


def _invite(old: OutgoingInvite | None, new: OutgoingInvite) -> Iterator[str]:
    if old is None:
        yield f"invite {new.id} was made, for {new.scope}"
    elif old.stage is not new.stage and new.stage in (Stage.EXPIRED, Stage.REVOKED):
        yield f"invite {new.id} is {new.stage}"
    if old is not None and new.last_error and new.last_error != old.last_error:
        yield f"invite {new.id}: {new.last_error}"


def _joins(before: Membership, after: Membership) -> Iterator[str]:
    old = {entry.token_hash: entry for entry in before.invites.incoming}
    for entry in after.invites.incoming:
        yield from _delivery(old.get(entry.token_hash), entry)


def _delivery(old: IncomingInvite | None, new: IncomingInvite) -> Iterator[str]:
    """A delivery that fails is told once per reason, not once per try."""
    if old is not None and new.last_error and new.last_error != old.last_error:
        yield f"the join to {told_by(new.name, new.did)}: {new.last_error}"
