"""Why a stream of states ended, in one word each (PROTOCOL section 3); they are counted under these words."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


class StreamEnd(enum.StrEnum):
    """The end of a stream as its subscriber saw it."""

    TIME_OVER = "time-over"
    """It had lasted an hour: it is opened anew."""
    GOING_AWAY = "going-away"
    """The publisher stops or restarts."""
    REPLACED = "replaced"
    """A newer stream of ours took its place there."""
    TRUST_CHANGED = "trust-changed"
    """What we may do there has changed."""
    TOO_SLOW = "too-slow"
    """The publisher says that we read too slowly."""
    UNHEARD = "unheard"
    """The publisher says that it heard nothing of us."""
    REJECTED = "rejected"
    """The publisher says that we broke the rules."""
    CLOSED = "closed"
    """The publisher closed it and gave no reason of the protocol's."""
    BROKEN = "broken"
    """The connection ended without a word."""
    SILENT = "silent"
    """Nothing came for too long."""
    NOT_READ = "not-read"
    """The publisher does not read what we send."""
    CUT = "cut"
    """We ended it: the peer was removed, or its trust was changed here."""
    TOO_LARGE = "too-large"
    """A frame is larger than any state."""
    TOO_FAST = "too-fast"
    """Messages came faster than a state may change."""
    MISMATCH = "mismatch"
    """A frame did not hold: its reason is counted among the states that were refused."""
    NO_ROOM = "no-room"
    """Its states find no room beside those of all other peers."""
    NOT_WANTED = "not-wanted"
    """We ended it: the peer was paused, what polls brought did not hold twice, or this node stops."""
    NOT_STORED = "not-stored"
    """What it told could not be written here."""
    NOT_BINARY = "not-binary"
    """A frame was text."""
    MALFORMED = "malformed"
    """What came is no frame, or no state."""


_BY_CODE: Final[Mapping[int, StreamEnd]] = MappingProxyType(
    {
        1000: StreamEnd.TIME_OVER,
        1001: StreamEnd.GOING_AWAY,
        1008: StreamEnd.REJECTED,
        4001: StreamEnd.REPLACED,
        4002: StreamEnd.TRUST_CHANGED,
        4003: StreamEnd.TOO_SLOW,
        4004: StreamEnd.UNHEARD,
    }
)


def of_close_code(code: int) -> StreamEnd:
    """What the publisher's close code says; any other than those of PROTOCOL section 3 is `closed`."""
    return _BY_CODE.get(code, StreamEnd.CLOSED)
