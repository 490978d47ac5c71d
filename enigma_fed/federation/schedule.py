"""When a peer is polled next and a join tried again (PROTOCOL sections 4 and 8). Pure."""

from __future__ import annotations

from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.backoff import Backoff, spread
from enigma_fed.federation.accepting import OPEN_STAGES
from enigma_fed.wire.records import IncomingInvite, Node, Stage, TrustLevel

_JITTER: Final = 0.1
_START_SPREAD: Final = 2.0
"""Seconds over which the first polls after a start or a join are spread, for a few peers."""
_START_RATE: Final = 20.0
"""First polls per second, for many."""
_JOIN_BACKOFF: Final = Backoff(limits.JOIN_BACKOFF_FIRST, limits.JOIN_BACKOFF_MAX)


def polled(node: Node) -> bool:
    """Whether the peer is polled at all.

    An untrusted one is not, but for the one poll that tells the inviter that we got its answer.
    """
    if node.paused or node.stage in OPEN_STAGES:
        return False
    return node.trust_level is not TrustLevel.UNTRUSTED or node.stage is Stage.ANNOUNCED


def first_poll(peers: int, chance: float) -> float:
    """Seconds until the first poll of a peer; `chance` is random in [0, 1)."""
    return chance * max(_START_SPREAD, peers / _START_RATE)


def next_poll(node: Node, failures: int, interval: float, chance: float) -> float:
    """Seconds until the next poll after so many failures in a row; `chance` is random in [0, 1)."""
    if node.they_forgot_us or node.stage is Stage.REFUSED or (node.stage is Stage.USED and failures):
        return spread(limits.POLL_INTERVAL_UNPROVEN, _JITTER, chance)
    if failures:
        return Backoff(retry_floor(interval), limits.POLL_BACKOFF_MAX).delay(failures, chance)
    return spread(interval, _JITTER, chance)


def retry_floor(interval: float) -> float:
    """Shortest time between two polls of a peer that nobody asked for, in seconds."""
    return min(limits.POLL_BACKOFF_FIRST, interval)


def next_join(entry: IncomingInvite, failures: int, chance: float) -> float:
    """Seconds until a join is tried again; `chance` is random in [0, 1).

    `failures` are those in a row since our start, also of what could not be stored.
    """
    if entry.stage is Stage.AWAITING_APPROVAL:
        return spread(limits.JOIN_SLOW_RETRY, _JITTER, chance)
    return _JOIN_BACKOFF.delay(max(entry.attempts, failures), chance)
