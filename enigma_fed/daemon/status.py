"""The status of a node and what to do next, as plain values (`enigma-fed status`). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from enigma_fed import __version__
from enigma_fed.base import limits
from enigma_fed.base.suspension import Suspended
from enigma_fed.federation.rules import REMOVED_US
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.wire.calling import borrowed, told
from enigma_fed.wire.records import Stage
from enigma_fed.wire.views import (
    InviteView,
    NodeView,
    PeerView,
    PublicOnionView,
    RegistryView,
    SnapshotView,
    StatusView,
    TorView,
)

_REMOVED_US: Final = REMOVED_US.partition(".")[0]
_JOINS_WAITING = frozenset({Stage.ACCEPTED_HERE, Stage.ANNOUNCED, Stage.AWAITING_APPROVAL})


@dataclass(frozen=True, slots=True)
class Running:
    """What only a running agent knows."""

    pid: int
    uptime_s: float
    epoch: str
    listen: str | None
    tor: TorView
    state: SnapshotView
    clock_synchronised: bool | None
    clock_behind: bool
    challenge_all: bool
    offline_windows: tuple[str, ...] = ()
    """When this node announces to be off, in local time."""
    admin: str | None = None
    admin_trouble: str = ""
    """Why there is no admin listener although there should be one."""
    admin_listen: str = ""
    """The setting."""
    config: str = ""
    """The configuration file, empty for none."""
    public: PublicOnionView | None = None
    registry: RegistryView | None = None
    another_copy: bool = False
    disk_free: int = limits.DISK_LOW
    """Bytes that may still be written where the data folder is."""


def tor_view(status: TorStatus) -> TorView:
    """How far Tor is, in the words of `--json`."""
    return TorView(
        mode=status.mode.value,
        phase=status.phase.value,
        percent=status.percent,
        tag=status.tag,
        summary=status.summary,
        reason=status.reason,
        version=status.version,
        pid=status.pid,
        restarts=status.restarts,
        chosen=status.chosen,
        pow=status.pow,
        repairs=status.repairs,
        last_repair=status.last_repair,
    )


def compose(
    node: NodeView,
    peers: Sequence[PeerView],
    invites: Sequence[InviteView],
    running: Running | None,
    warnings: Sequence[str] = (),
    *,
    suspended: Sequence[Suspended] = (),
) -> StatusView:
    """The whole status; `running` is None when no agent runs."""
    view = StatusView(
        node=node,
        running=running is not None,
        peers=dict(Counter(map(_condition, peers))),
        streams=sum(peer.stream_since is not None for peer in peers),
        states_old=sum(peer.state_old for peer in peers),
        states_refused=sum(peer.state_refused is not None for peer in peers),
        invites_open=sum(map(_is_unused, invites)),
        joins_waiting=sum(map(_waits, invites)),
        suspended=[reason.value for reason in suspended],
        warnings=[*warnings, *_warnings(peers, running)],
        next_steps=[*_suspended_steps(suspended), *next_steps(peers, invites, running)],
    )
    return view if running is None else _with_facts(view, running)


def next_steps(
    peers: Sequence[PeerView], invites: Sequence[InviteView], running: Running | None
) -> Iterator[str]:
    """Plain sentences, the most urgent first."""
    if running is None:
        yield "Start the agent: enigma-fed run"
    else:
        yield from _machine_steps(running)
        yield from _tor_steps(running.tor)
    for invite in invites:
        yield from _invite_steps(invite)
    yield from _hand_over(sum(map(_is_unused, invites)))
    for peer in peers:
        if borrowed(peer) and peer.stage != Stage.AWAITING_APPROVAL:
            rename = f"enigma-fed peer rename {peer.did} NAME"
            yield f"{told(peer)}: {borrowed(peer)}; give it one of yours: {rename}"
        yield from _peer_steps(peer)
    if any(peer.invalid for peer in peers) or any(invite.invalid for invite in invites):
        yield "See the entries that cannot be used here, and drop them: enigma-fed doctor --drop-invalid"
    if not peers and not any(_waits(invite) or _is_unused(invite) for invite in invites):
        yield "Invite another home: enigma-fed invite create; or accept its code: enigma-fed invite accept"


def clock_differences(peers: Sequence[PeerView]) -> Iterator[str]:
    """A sentence about every peer whose clock differs; one alone where most agree that ours is off."""
    known = [peer.skew_s for peer in peers if peer.skew_s is not None]
    for side, off in (
        ("behind", [skew for skew in known if skew > limits.SKEW_TOLD]),
        ("ahead of", [-skew for skew in known if skew < -limits.SKEW_TOLD]),
    ):
        if len(off) > 1 and 2 * len(off) > len(known):
            middle = sorted(off)[len(off) // 2]
            yield f"This machine's clock is about {middle} s {side} those of most peers; set it right."
            return
    for peer in (peer for peer in peers if abs(peer.skew_s or 0) > limits.SKEW_TOLD):
        skew = peer.skew_s or 0
        side = "ahead of" if skew > 0 else "behind"
        yield f"The clock of {told(peer)} is {abs(skew)} s {side} this machine's: one of the two is wrong."


def _suspended_steps(suspended: Sequence[Suspended]) -> Iterator[str]:
    if Suspended.RECOVERED in suspended:
        yield "See what was recovered of a damaged file, and take it: enigma-fed doctor --accept-recovered"
    if Suspended.ANOTHER_COPY in suspended:
        yield "Stop the other copy of this node and remove its data folder; then restart this agent"


def _with_facts(view: StatusView, running: Running) -> StatusView:
    return msgspec.structs.replace(
        view,
        version=__version__,
        pid=running.pid,
        uptime_s=running.uptime_s,
        epoch=running.epoch,
        listen=running.listen,
        admin=running.admin,
        admin_listen=running.admin_listen,
        config=running.config,
        offline_windows=list(running.offline_windows),
        tor=running.tor,
        public=running.public,
        registry=running.registry,
        limited_by=list(limited_by(running.tor.mode)),
        state=running.state,
        clock_synchronised=running.clock_synchronised,
        clock_behind=running.clock_behind,
        another_copy=running.another_copy,
        challenge_all=running.challenge_all,
    )


def limited_by(mode: str) -> tuple[str, ...]:
    """What limits are counted by: only a tor of our own tells which circuit a caller came by."""
    return ("circuit", "key", "listener") if mode == "managed" else ("key", "listener")


def _condition(peer: PeerView) -> str:
    """The word under which a peer is counted."""
    if peer.invalid:
        return "invalid"
    if peer.stage == Stage.REFUSED:
        return peer.stage
    return "paused" if peer.paused else peer.liveness


def _is_unused(invite: InviteView) -> bool:
    return invite.direction == "outgoing" and invite.stage == Stage.CREATED


def _waits(invite: InviteView) -> bool:
    return invite.direction == "pending" or (
        invite.direction == "incoming" and invite.stage in _JOINS_WAITING
    )


def _tor_steps(tor: TorView) -> Iterator[str]:
    if tor.phase == TorPhase.OFF:
        yield "Peers cannot be reached (tor.mode = off); to change that, set tor.mode to auto"
    elif tor.phase == TorPhase.FAILED:
        yield "See what keeps Tor from running: enigma-fed doctor"
    elif tor.mode == TorMode.SOCKS and tor.phase == TorPhase.PROBING:
        yield (
            "Peers cannot reach this node until your tor serves its onion; "
            "the lines for its torrc: enigma-fed doctor"
        )
    elif tor.phase != TorPhase.READY or tor.reason:
        why = f" ({tor.reason})" if tor.reason else ""
        yield f"Peers cannot reach this node yet{why}; everything on this machine works meanwhile"
        if not why:
            yield f"Tor is {tor.phase} ({tor.percent} %): look again in a minute: enigma-fed status"


def _machine_steps(running: Running) -> Iterator[str]:
    free = running.disk_free
    if free < limits.DISK_LOW:
        yield f"Free some space, {free // 2**20} MiB are left: joins and removals need to be written down"
    if running.clock_behind:
        yield "Set this machine's clock right, best by: sudo timedatectl set-ntp true"
    elif running.clock_synchronised is False:
        yield "Turn on time synchronisation: sudo timedatectl set-ntp true"


def _invite_steps(invite: InviteView) -> Iterator[str]:
    who = told(invite)
    if invite.direction == "pending":
        how = "with an expired code" if invite.late else "without a code"
        mind = f" (mind: {borrowed(invite)}; compare the DID with its owner)" if borrowed(invite) else ""
        yield f"{who} joined {how}; to let it in: enigma-fed peer approve {invite.did}{mind}"
    elif invite.direction == "incoming" and invite.stage == Stage.AWAITING_APPROVAL:
        yield f"Ask the owner of {who} to let this node in: the code had expired"
    elif invite.direction == "incoming" and invite.stage == Stage.ACCEPTED_HERE:
        yield f"{who} has not answered yet; this node keeps trying by itself"


def _hand_over(count: int) -> Iterator[str]:
    shown = "enigma-fed --json invite list shows"
    if count == 1:
        yield f"1 invite is open; hand over its code: {shown} it"
    elif count:
        yield f"{count} invites are open; hand over their codes: {shown} them"


def _peer_steps(peer: PeerView) -> Iterator[str]:
    name = told(peer)
    if peer.invalid:
        return
    if peer.they_forgot_us:
        yield f"{name} no longer knows this node: ask its owner for a new invite, or remove it here"
    elif peer.stage == Stage.REFUSED and (peer.last_error or "").startswith(_REMOVED_US):
        yield f"{name} removed this node: ask its owner for a new invite, or remove it here"
    elif peer.stage == Stage.REFUSED:
        why = peer.last_error or "no reason given"
        yield f"{name} refused the join ({why}): ask its owner for a new invite"
    elif peer.paused:
        yield f"{name} is paused; to ask it again: enigma-fed peer pause {peer.did} --resume"
    elif peer.state_refused:
        yield (
            f"{name} sends states that break the rules ({peer.state_refused}); its last good one is shown: "
            f"ask its owner to update, or look: enigma-fed peer show {peer.did}"
        )
    elif peer.liveness == "offline":
        yield f"{name} does not answer any more; ask its owner, or look why: enigma-fed peer show {peer.did}"


def _warnings(peers: Sequence[PeerView], running: Running | None) -> Iterator[str]:
    if running is None:
        return
    if running.clock_behind:
        yield "This machine's clock is behind times that this node has written down; set it right."
    if running.clock_synchronised is False:
        yield "This machine's clock is not synchronised, so peers are asked for one more round trip."
    if running.admin_trouble:
        yield f"Health and metrics are not served: {running.admin_trouble}"
    if running.registry is not None:
        yield from _registry_warnings(running.registry)
    if running.public is not None and running.public.reason:
        yield f"Strangers cannot reach what is published for them: {running.public.reason}"
    yield from clock_differences(peers)
    if any(peer.paused for peer in peers):
        yield "Some peers are paused and not polled."


def _registry_warnings(registry: RegistryView) -> Iterator[str]:
    if registry.trouble and registry.running:
        yield f"Changed settings of the registry were refused, the old ones are in force: {registry.trouble}"
    elif registry.trouble:
        yield f"The registry is not served: {registry.trouble}"
    yield from registry.warnings
