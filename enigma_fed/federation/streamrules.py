"""Who gets a stream of ours, and when one is opened (again) (PROTOCOL section 3). Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.backoff import Backoff
from enigma_fed.base.errors import (
    EnigmaError,
    NoWayOut,
    PeerUnreachable,
    RefusedByPeer,
    StateRefused,
    StreamEnded,
    StreamNotOffered,
    UnsignedReply,
)
from enigma_fed.base.rpc_errors import Busy
from enigma_fed.federation import schedule
from enigma_fed.rpc.streamend import StreamEnd
from enigma_fed.wire.records import Node, TrustLevel

_BACKOFF: Final = Backoff(limits.POLL_BACKOFF_FIRST, limits.POLL_BACKOFF_MAX)
_FAULTS: Final = frozenset(
    {
        StreamEnd.TOO_LARGE,
        StreamEnd.TOO_FAST,
        StreamEnd.NOT_BINARY,
        StreamEnd.MALFORMED,
        StreamEnd.MISMATCH,
        StreamEnd.NO_ROOM,
        StreamEnd.REJECTED,
    }
)
"""Ends after which a stream counts as failed, however long it lasted."""
_OURS: Final = frozenset({StreamEnd.CUT, StreamEnd.NOT_WANTED})
"""Ends that say nothing about the peer."""


class NotOpened(enum.StrEnum):
    """Why there was no stream; they are counted under these words."""

    UNREACHABLE = "unreachable"
    """Nobody answered, or not in our format."""
    UNSIGNED = "unsigned"
    """The answer proves nothing."""
    REFUSED = "refused"
    """The peer signed a refusal."""
    NOT_OFFERED = "not-offered"
    """The peer speaks no streams."""
    ENDED = "ended"
    """It was over before it began: the peer was removed or its trust changed here."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A peer that offers no stream, and is not asked for one meanwhile."""

    epoch: bytes | None
    """Of the newest state that it told (8 bytes): after its next start it may offer one."""
    until: float
    """Seconds on the boot clock."""

    def is_over(self, epoch: bytes | None, now: float) -> bool:
        """Whether it is asked again, now that `epoch` is that of its newest state."""
        return epoch != self.epoch or now >= self.until


def may_have_one(node: Node) -> bool:
    """Whether the peer stands so that it could answer us with a stream."""
    settled = node.confirmed and not node.they_forgot_us
    return settled and schedule.polled(node) and node.trust_level is not TrustLevel.UNTRUSTED


def first_try(failures: int, chance: float) -> float:
    """Seconds from a poll that was answered to the stream; `chance` is random in [0, 1).

    `failures` are the streams that failed in a row. All subscribers of a peer that starts anew hear it
    again at about the same time.
    """
    return chance * limits.STREAM_SPREAD if not failures else next_try(failures, chance)


def next_try(failures: int, chance: float) -> float:
    """Seconds until a stream that was not opened is tried again."""
    return _BACKOFF.delay(failures, chance)


def ping_interval(poll_interval: float) -> float:
    """Seconds between two pings of ours, so that a peer is heard as often as by polls."""
    return min(limits.STREAM_PING, poll_interval)


def why_ended(error: EnigmaError) -> str:
    """The word under which the end of a stream that stood is counted."""
    if isinstance(error, StreamEnded):
        return error.reason
    return StreamEnd.MISMATCH if isinstance(error, StateRefused) else StreamEnd.NOT_STORED


def why_not_opened(error: EnigmaError) -> NotOpened:
    """The word under which a stream that never stood is counted."""
    if isinstance(error, StreamEnded):
        return NotOpened.ENDED
    if isinstance(error, StreamNotOffered):
        return NotOpened.NOT_OFFERED
    if isinstance(error, UnsignedReply):
        return NotOpened.UNSIGNED
    return NotOpened.UNREACHABLE if isinstance(error, PeerUnreachable) else NotOpened.REFUSED


def is_tried_again_by_itself(error: EnigmaError) -> bool:
    """Whether a stream that never stood is tried again without a poll that was answered in between.

    Any refusal but `busy` is for a poll to hear, which keeps what it means.
    """
    if isinstance(error, RefusedByPeer):
        return error.code == Busy.code
    return not isinstance(error, StreamNotOffered | StreamEnded)


def failures_after(before: int, error: EnigmaError, lasted: float | None) -> int:
    """Streams that failed in a row, after one that lasted so many seconds (None: it never stood)."""
    if isinstance(error, NoWayOut) or (isinstance(error, StreamEnded) and error.reason in _OURS):
        return before
    if isinstance(error, StreamNotOffered):
        return 0
    if lasted is None or lasted < limits.STREAM_SETTLED or why_ended(error) in _FAULTS:
        return before + 1
    return 0
