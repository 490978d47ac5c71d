"""Views (wire/views.py) of members, invites and codes."""

from __future__ import annotations

from collections.abc import Sequence

from enigma_fed.wire import hexadecimal
from enigma_fed.wire.invite import Invite
from enigma_fed.wire.records import (
    IncomingInvite,
    Membership,
    Node,
    Observation,
    OutgoingInvite,
    PendingJoin,
    Stage,
    TrustLevel,
)
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.timestamps import UNIX_MAX, to_text
from enigma_fed.wire.views import AppView, InvalidView, InvitePreview, InviteView, PeerView, SnapshotView
from enigma_fed.wire.windows import Window

_KIB = 1024


def snapshot_view(snapshot: Snapshot, unix: int) -> SnapshotView:
    """The state object; `unix` is the time it is of."""
    return SnapshotView(
        timestamp=to_text(min(unix, UNIX_MAX)),
        node_name=snapshot.node_name,
        apps=[AppView(id=app.id, status=app.status, version=app.version) for app in snapshot.apps],
        cpu_usage_percent=None if snapshot.cpu_tenths is None else snapshot.cpu_tenths / 10,
        mem_used_bytes=_bytes(snapshot.mem_used_kib),
        mem_total_bytes=_bytes(snapshot.mem_total_kib),
        disk_used_bytes=_bytes(snapshot.disk_used_kib),
        disk_total_bytes=_bytes(snapshot.disk_total_kib),
        uptime_secs=snapshot.uptime_secs,
        tor_active=snapshot.tor_active,
    )


def peer_view(
    node: Node,
    observation: Observation | None,
    liveness: str,
    now: float,
    *,
    reason: str = "",
    next_poll: float | None = None,
    announced: Sequence[Window] = (),
) -> PeerView:
    """A member, with what polling learned of it; `now` and `next_poll` are Unix times.

    `announced` are the windows that it announces, on this machine's clock.
    """
    seen = _latest(node.last_seen, observation.last_seen if observation else None)
    error, error_at = _newest_error(node, observation)
    state_at, state = _state(node, observation)
    return PeerView(
        did=str(node.did),
        pubkey=hexadecimal.encode(node.did.public_key),
        onion=str(node.onion),
        name=node.name,
        alias=node.alias,
        trust_level=node.trust_level.value,
        added_at=to_text(node.added_at),
        stage=node.stage.value,
        stage_at=to_text(node.stage_at),
        last_seen=_time(seen),
        last_state=None if state is None else snapshot_view(state, state_at),
        joined_as=None if node.joined_as is None else node.joined_as.value,
        granted_trust=None if node.granted_trust is None else node.granted_trust.value,
        last_error=error,
        last_error_at=_time(error_at),
        paused=node.paused,
        they_forgot_us=node.they_forgot_us,
        legacy=node.legacy,
        liveness=liveness,
        liveness_reason=reason,
        next_poll_at=None if next_poll is None else _time(round(next_poll)),
        offline_windows=[str(window) for window in node.offline_windows],
        announced_windows=[str(window) for window in announced],
        age_s=None if state is None else age(now, state_at, observation),
        via=observation.via.value if observation and observation.via else None,
        latency_ms=observation.latency_ms if observation else None,
        skew_s=observation.skew_s if observation else None,
    )


def pending_view(entry: PendingJoin) -> PeerView:
    """A join that waits for the owner, as a peer without rights."""
    return PeerView(
        did=str(entry.did),
        pubkey=hexadecimal.encode(entry.did.public_key),
        onion=str(entry.onion),
        name=entry.name,
        alias=None,
        trust_level=TrustLevel.UNTRUSTED.value,
        added_at=to_text(entry.received_at),
        stage=Stage.AWAITING_APPROVAL.value,
        stage_at=to_text(entry.received_at),
        joined_as="inviter",
    )


def invalid_view(raw: str) -> PeerView:
    """An entry of nodes.json that is not valid here: its JSON text and nothing else."""
    empty = ""
    return PeerView(
        did=empty,
        pubkey=empty,
        onion=empty,
        name=None,
        alias=None,
        trust_level=TrustLevel.UNTRUSTED.value,
        added_at=empty,
        stage=empty,
        stage_at=empty,
        invalid=raw,
    )


def invalid_invite_view(raw: str) -> InviteView:
    """An entry of invites.json that is not valid here: its JSON text and nothing else."""
    empty = ""
    return InviteView(
        code=None,
        did=empty,
        onion=empty,
        pubkey=empty,
        created_at=empty,
        accepted=False,
        id=empty,
        direction=empty,
        stage=empty,
        stage_at=empty,
        expires_at=empty,
        invalid=raw,
    )


def invalid_entries(membership: Membership) -> list[InvalidView]:
    """The entries of both files that are not valid here."""
    files = {"nodes.json": membership.nodes.invalid, "invites.json": membership.invites.invalid}
    return [InvalidView(file=file, text=raw) for file, entries in files.items() for raw in entries]


def invite_view(entry: OutgoingInvite | IncomingInvite | PendingJoin, now: float) -> InviteView:
    """An invite made here or accepted here, or a join that waits; `now` is Unix time."""
    if isinstance(entry, OutgoingInvite):
        return _outgoing(entry, now)
    return _incoming(entry) if isinstance(entry, IncomingInvite) else _pending(entry)


def invite_preview(invite: Invite, *, signed: bool, now: float) -> InvitePreview:
    """What a code says; `signed` tells whether its signature was checked and holds."""
    return InvitePreview(
        did=str(invite.did),
        fingerprint=invite.did.fingerprint,
        pubkey=hexadecimal.encode(invite.did.public_key),
        onion=str(invite.onion),
        id=invite.id,
        signed=signed,
        expired=invite.expires_at is not None and now >= invite.expires_at,
        scope=invite.scope.value,
        name=invite.name,
        for_did=None if invite.for_did is None else str(invite.for_did),
        issued_at=_time(invite.issued_at),
        expires_at=_time(invite.expires_at),
        lan=list(invite.lan),
    )


def _outgoing(entry: OutgoingInvite, now: float) -> InviteView:
    expired = entry.stage is Stage.CREATED and now >= entry.expires_at
    return InviteView(
        code=None if expired else entry.code,
        did=str(entry.did),
        onion=str(entry.onion),
        pubkey=hexadecimal.encode(entry.did.public_key),
        created_at=to_text(entry.created_at),
        accepted=entry.used_by is not None,
        id=entry.id,
        direction="outgoing",
        stage=(Stage.EXPIRED if expired else entry.stage).value,
        stage_at=to_text(entry.expires_at if expired else entry.stage_at),
        expires_at=to_text(entry.expires_at),
        scope=entry.scope.value,
        for_did=None if entry.for_did is None else str(entry.for_did),
        legacy=entry.legacy,
        used_by=None if entry.used_by is None else str(entry.used_by),
        last_error=entry.last_error,
        last_error_at=_time(entry.last_error_at),
    )


def _incoming(entry: IncomingInvite) -> InviteView:
    return InviteView(
        code=entry.code,
        did=str(entry.did),
        onion=str(entry.onion),
        pubkey=hexadecimal.encode(entry.did.public_key),
        created_at=to_text(entry.created_at),
        accepted=True,
        id=entry.id,
        direction="incoming",
        stage=entry.stage.value,
        stage_at=to_text(entry.stage_at),
        expires_at=to_text(entry.expires_at),
        trust_level=entry.trust_level.value,
        name=entry.name,
        ended_by=None if entry.ended_by is None else entry.ended_by.value,
        last_error=entry.last_error,
        last_error_at=_time(entry.last_error_at),
    )


def _pending(entry: PendingJoin) -> InviteView:
    return InviteView(
        code=None,
        did=str(entry.did),
        onion=str(entry.onion),
        pubkey=hexadecimal.encode(entry.did.public_key),
        created_at=to_text(entry.received_at),
        accepted=False,
        id="" if entry.token_hash is None else hexadecimal.encode(entry.token_hash)[:8],
        direction="pending",
        stage=Stage.AWAITING_APPROVAL.value,
        stage_at=to_text(entry.received_at),
        expires_at=to_text(min(entry.expires_at, UNIX_MAX)),
        late=entry.late,
        scope=entry.scope.value,
        name=entry.name,
    )


def _state(node: Node, observation: Observation | None) -> tuple[int, Snapshot | None]:
    if observation is not None and observation.state is not None:
        state = observation.state
        return state.started + state.ts, state.snapshot
    return node.last_seen or node.added_at, node.last_state


def age(now: float, state_at: int, observation: Observation | None) -> float:
    """Seconds since the peer took a state at `state_at`, its clock corrected by the skew that it showed.

    No less than since it was heard last: a state dated into the future does not stay new for ever.
    """
    skew = observation.skew_s if observation is not None and observation.skew_s is not None else 0
    heard = observation.last_seen if observation is not None and observation.last_seen is not None else now
    return max(0.0, round(now - min(state_at - skew, heard), 1))


def _newest_error(node: Node, observation: Observation | None) -> tuple[str | None, int | None]:
    if node.last_error is not None and (node.stage is Stage.REFUSED or node.they_forgot_us):
        return node.last_error, node.last_error_at  # why it is over counts more than the peer's word for it
    if observation is not None and observation.last_error is not None:
        return observation.last_error, observation.last_error_at
    return node.last_error, node.last_error_at


def _latest(first: int | None, second: int | None) -> int | None:
    return max((at for at in (first, second) if at is not None), default=None)


def _bytes(kib: int | None) -> int | None:
    return None if kib is None else kib * _KIB


def _time(unix: int | None) -> str | None:
    return None if unix is None else to_text(unix)
