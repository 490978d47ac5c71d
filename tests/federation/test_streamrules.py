"""Who gets a stream, when it is tried again, and what its end says."""

from __future__ import annotations

from typing import Any

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    EnigmaError,
    NoWayOut,
    PeerNotFound,
    PeerUnreachable,
    RefusedByPeer,
    StateRefused,
    StreamEnded,
    StreamNotOffered,
    UnsignedReply,
    WriteFailed,
)
from enigma_fed.federation import streamrules as rules
from enigma_fed.federation.streamrules import NotOpened, Rest
from enigma_fed.rpc.streamend import StreamEnd
from enigma_fed.state.receiving import Reason
from enigma_fed.wire.records import Stage, TrustLevel
from tests.support.members import member

LONG = float(limits.STREAM_SETTLED)


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, True),
        ({"stage": Stage.CONFIRMED_BOTH}, True),
        ({"trust_level": TrustLevel.TRUSTED}, True),
        ({"trust_level": TrustLevel.UNTRUSTED}, False),
        ({"paused": True}, False),
        ({"they_forgot_us": True}, False),
        ({"stage": Stage.USED}, False),
        ({"stage": Stage.ANNOUNCED}, False),
        ({"stage": Stage.REFUSED}, False),
        ({"stage": Stage.ACCEPTED_HERE}, False),
    ],
)
def test_a_stream_is_for_confirmed_members_that_are_polled(changes: dict[str, Any], may: bool) -> None:
    assert rules.may_have_one(member(1, **changes)) is may


def test_streams_of_peers_that_answered_are_spread() -> None:
    """limits.STREAM_SPREAD."""
    assert rules.first_try(0, 0.0) == 0
    assert rules.first_try(0, 0.5) == limits.STREAM_SPREAD / 2


def test_a_stream_that_failed_is_tried_more_and_more_rarely() -> None:
    tries = [rules.first_try(failures, 0.5) for failures in range(1, 12)]
    assert tries[:3] == [
        limits.POLL_BACKOFF_FIRST,
        2 * limits.POLL_BACKOFF_FIRST,
        4 * limits.POLL_BACKOFF_FIRST,
    ]
    assert tries[-1] == limits.POLL_BACKOFF_MAX
    assert rules.next_try(3, 0.5) == tries[2]


def test_a_peer_is_pinged_as_often_as_it_would_be_polled() -> None:
    """limits.STREAM_PING."""
    assert rules.ping_interval(60) == limits.STREAM_PING
    assert rules.ping_interval(5) == 5


def test_a_peer_without_streams_is_asked_again_after_its_next_start_or_six_hours() -> None:
    """limits.STREAM_ASKED_AGAIN is when `until` is; here it is 100."""
    rest = Rest(b"epoch001", 100.0)
    assert not rest.is_over(b"epoch001", 99.9)
    assert rest.is_over(b"epoch001", 100.0)
    assert rest.is_over(b"epoch002", 0.0)


@pytest.mark.parametrize(
    ("error", "word", "again"),
    [
        (PeerUnreachable("no"), NotOpened.UNREACHABLE, True),
        (UnsignedReply("no"), NotOpened.UNSIGNED, True),
        (RefusedByPeer("busy"), NotOpened.REFUSED, True),
        (RefusedByPeer("not-allowed"), NotOpened.REFUSED, False),
        (RefusedByPeer("removed"), NotOpened.REFUSED, False),
        (StreamNotOffered(), NotOpened.NOT_OFFERED, False),
        (StreamEnded(StreamEnd.CUT), NotOpened.ENDED, False),
    ],
)
def test_what_a_stream_that_never_stood_is_counted_as(error: EnigmaError, word: str, again: bool) -> None:
    assert rules.why_not_opened(error) == word
    assert rules.is_tried_again_by_itself(error) is again


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (StreamEnded(StreamEnd.SILENT), "silent"),
        (StateRefused(Reason.WRONG_BASE, "no"), "mismatch"),
        (WriteFailed("disk full"), "not-stored"),
    ],
)
def test_what_a_stream_that_stood_is_counted_as(error: EnigmaError, word: str) -> None:
    assert rules.why_ended(error) == word


@pytest.mark.parametrize(
    ("error", "lasted", "after"),
    [
        (StreamEnded(StreamEnd.TIME_OVER), LONG, 0),
        (StreamEnded(StreamEnd.BROKEN), LONG, 0),
        (StreamEnded(StreamEnd.BROKEN), LONG - 0.1, 4),
        (StreamEnded(StreamEnd.GOING_AWAY), 0.0, 4),
        (StreamEnded(StreamEnd.TOO_FAST), LONG, 4),
        (StreamEnded(StreamEnd.MALFORMED), LONG, 4),
        (StateRefused(Reason.BAD_PATCH, "no"), LONG, 4),
        (StreamEnded(StreamEnd.CUT), 0.0, 3),
        (PeerUnreachable("no"), None, 4),
        (NoWayOut("our own tor"), None, 3),
        (RefusedByPeer("busy"), None, 4),
        (StreamNotOffered(), None, 0),
        (PeerNotFound("gone"), None, 4),
    ],
)
def test_a_stream_failed_if_it_was_short_or_broke_the_rules(
    error: EnigmaError, lasted: float | None, after: int
) -> None:
    """limits.STREAM_SETTLED; three failed before."""
    assert rules.failures_after(3, error, lasted) == after
