"""When a peer is polled next and a join tried again (PROTOCOL sections 4 and 8). Pure."""

from __future__ import annotations

from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.backoff import Backoff, spread
from enigma_fed.federation.accepting import OPEN_STAGES
from enigma_fed.wire.records import IncomingInvite, Node, Observation, Stage, TrustLevel

_JITTER: Final = 0.1
_JOIN_SPREAD: Final = 2.0
"""Seconds over which the first polls after a join are spread, for a few peers."""
_START_SPREAD: Final = 0.5
"""Intervals over which the polls after a start or an outage are spread: all others may begin now too."""
_RATE: Final = 20.0
"""First polls per second, for many peers."""
_JOIN_BACKOFF: Final = Backoff(limits.JOIN_BACKOFF_FIRST, limits.JOIN_BACKOFF_MAX)


def polled(node: Node) -> bool:
    """Whether the peer is polled at all.

    An untrusted one is not, but for the one poll that tells the inviter that we got its answer.
    """
    if node.paused or node.stage in OPEN_STAGES:
        return False
    return node.trust_level is not TrustLevel.UNTRUSTED or node.stage is Stage.ANNOUNCED


def first_poll(fresh: int, chance: float) -> float:
    """Seconds until the first poll of one of so many new peers; `chance` is random in [0, 1)."""
    return chance * max(_JOIN_SPREAD, fresh / _RATE)


def poll_after_start(
    seen: Observation | None, peers: int, interval: float, now: float, chance: float
) -> float:
    """Seconds until the first poll of one of so many peers after a start of this node.

    `seen` is what was stored of it, `now` the Unix time. A pause that was stored is kept to, so that
    no restart hammers a silent peer; everything else is spread.
    """
    if seen is not None and seen.failures and seen.next_poll_at is not None and seen.next_poll_at > now:
        return min(seen.next_poll_at - now, limits.POLL_BACKOFF_MAX)  # less if the clock was set back since
    return _spread_widely(peers, interval, chance)


def after_wait(held: int, chance: float) -> float:
    """Seconds until one of so many polls that all waited for our own way out."""
    return first_poll(held, chance)


def after_outage(tried: int, interval: float, chance: float) -> float:
    """Seconds until one of so many polls of peers that were tried in vain while our own way out was lost.

    The outage may have been a whole region's: others come back at the same moment.
    """
    return _spread_widely(tried, interval, chance)


def _spread_widely(peers: int, interval: float, chance: float) -> float:
    return chance * max(_START_SPREAD * interval, peers / _RATE)


def next_poll(node: Node, failures: int, interval: float, chance: float) -> float:
    """Seconds until the next poll after so many failures in a row; `chance` is random in [0, 1)."""
    if node.they_forgot_us or node.stage is Stage.REFUSED or (node.stage is Stage.USED and failures):
        return spread(limits.POLL_INTERVAL_UNPROVEN, _JITTER, chance)
    if failures:
        return Backoff(retry_floor(interval), limits.POLL_BACKOFF_MAX).delay(failures, chance)
    return spread(interval, _JITTER, chance)


def poll_beside_stream(interval: float, chance: float) -> float:
    """Seconds until the next poll of a peer whose stream stands; `chance` is random in [0, 1)."""
    return spread(max(interval, limits.STREAM_POLL_INTERVAL), _JITTER, chance)


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
