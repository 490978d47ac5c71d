"""Checks of what is open between this node and others: peers, invites, and what their clocks say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from enigma_fed.base import limits
from enigma_fed.daemon.checks.scene import Scene, count, failure, ok, warning
from enigma_fed.daemon.status import clock_differences
from enigma_fed.wire.calling import told
from enigma_fed.wire.records import Stage
from enigma_fed.wire.timestamps import from_text
from enigma_fed.wire.views import Finding, PeerView

_LONG_AWAY: Final = 7 * 24 * 3600
_SOON: Final = 2 * 3600
_NTP: Final = "sudo timedatectl set-ntp true"


def away(scene: Scene) -> Iterator[Finding]:
    """Members that have not been heard for a week."""
    members = [peer for peer in scene.peers if peer.did and not _may_be_silent(peer)]
    silent = [peer for peer in members if _silence(peer, scene.now) > _LONG_AWAY]
    for peer in silent:
        days = int(_silence(peer, scene.now) // 86400)
        why = "It may be gone for good; it keeps its rights here until it is removed."
        fix = f"Ask its owner, try enigma-fed peer ping {peer.did}, or enigma-fed peer remove {peer.did}"
        yield warning("peers", f"{told(peer)} was not heard for {days} days", why, fix)
    if members and not silent:
        yield ok("peers", f"{count(len(members), 'peer')}, none silent for more than a week")


def _may_be_silent(peer: PeerView) -> bool:
    return peer.paused or peer.liveness == "offline-expected"


def _silence(peer: PeerView, now: float) -> float:
    """Seconds since it was heard, or since it was added."""
    return now - from_text(peer.last_seen or peer.added_at)


def skew(scene: Scene) -> Iterator[Finding]:
    """Our clock against the signed replies of peers, as `status` tells it."""
    why = f"From {limits.FRESHNESS_WINDOW} s on every request needs one more round trip."
    differences = list(clock_differences(scene.peers))
    for sentence in differences:
        if sentence.startswith("This machine"):
            yield failure("clock of peers", sentence, why, f"Set it right: {_NTP}")
        else:
            yield warning("clock of peers", sentence, why, f"Tell its owner, or set this one right: {_NTP}")
    known = sum(peer.skew_s is not None for peer in scene.peers)
    if known and not differences:
        verb = "agrees" if known == 1 else "agree"
        yield ok("clock of peers", f"{count(known, 'peer')} {verb} with this machine's clock")


def invites(scene: Scene) -> Iterator[Finding]:
    """Codes that expire soon, and joins that wait."""
    for invite in scene.invites:
        left = from_text(invite.expires_at) - scene.now
        if invite.direction == "outgoing" and invite.stage == Stage.CREATED and 0 < left <= _SOON:
            detail = f"invite {invite.id} expires in {max(1, int(left // 60))} min and was not used"
            why = "A join that comes later only waits for your approval."
            yield warning(
                "invites", detail, why, "Hand it over now, or make another: enigma-fed invite create"
            )
        elif invite.direction == "pending":
            who = told(invite)
            fix = f"Let it in: enigma-fed peer approve {invite.did}"
            yield warning("invites", f"{who} waits for your approval", "Until then it has no rights.", fix)
        elif invite.direction == "incoming" and invite.stage == Stage.ACCEPTED_HERE and left <= 0:
            who = told(invite)
            why = "This node gives up a day after the code expired."
            fix = f"Ask the owner of {who} whether that node runs."
            yield warning("invites", f"{who} has not answered, and its code has expired", why, fix)
