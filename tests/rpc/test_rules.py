"""Freshness, memory and the form of error replies, as the protocol's numbers say."""

from __future__ import annotations

import pytest

from enigma_fed.base.errors import EnigmaError, StoreDamaged, WireError
from enigma_fed.base.rpc_errors import (
    BadSignature,
    Busy,
    InternalError,
    InvalidRequest,
    MalformedRequest,
    NotAllowed,
    Replayed,
    Stale,
    TooLarge,
    UnknownToken,
)
from enigma_fed.rpc import rules
from enigma_fed.rpc.methods import Standing


@pytest.mark.parametrize(
    ("created", "expires", "stale"),
    [
        (1000, 1060, False),
        (940, 1000, False),
        (939, 1050, True),
        (1060, 1120, False),
        (1061, 1062, True),
        (990, 999, True),
    ],
)
def test_a_request_is_fresh_for_60_seconds_either_way_and_until_its_end(
    created: int, expires: int, stale: bool
) -> None:
    assert rules.is_stale(created, expires, 1000.0) == stale


def test_a_nonce_is_kept_121_seconds_past_the_later_of_now_and_created() -> None:
    assert rules.nonce_end(created=1000, wall=1000.0, boot=5.0) == 126.0
    assert rules.nonce_end(created=900, wall=1000.0, boot=5.0) == 126.0
    assert rules.nonce_end(created=1050, wall=1000.0, boot=5.0) == 176.0


@pytest.mark.parametrize(
    ("theirs", "created"), [(None, 1000), (970.5, 1000), (970.4, 970), (1500.0, 1000), (0.0, 0)]
)
def test_who_is_known_to_be_ahead_signs_in_the_receivers_time(theirs: float | None, created: int) -> None:
    assert rules.created_at(1000.5, theirs) == created


@pytest.mark.parametrize(
    ("error", "before", "after"),
    [
        (BadSignature(), 401, 200),
        (Replayed(), 401, 200),
        (UnknownToken(), 401, 200),
        (Busy(), 429, 200),
        (TooLarge(), 413, 200),
        (MalformedRequest(), 400, 200),
        (InvalidRequest(), 400, 200),
        (NotAllowed(), 400, 200),
    ],
)
def test_errors_from_the_trust_step_on_are_http_200(error: EnigmaError, before: int, after: int) -> None:
    assert rules.http_status(error, past_nonce=False) == before
    assert rules.http_status(error, past_nonce=True) == after


def test_what_is_signed() -> None:
    for standing in Standing:
        assert rules.is_signed(NotAllowed(), signature_held=True, standing=standing)
        assert not rules.is_signed(BadSignature(), signature_held=False, standing=standing)
    assert rules.is_signed(Stale(), signature_held=False, standing=Standing.MEMBER)
    assert not rules.is_signed(Stale(), signature_held=False, standing=Standing.UNKNOWN)
    assert not rules.is_signed(Stale(), signature_held=False, standing=Standing.REMOVED)


def test_no_inner_error_reaches_the_caller() -> None:
    told = rules.to_rpc_error(StoreDamaged("/home/me/secret/path"))
    assert isinstance(told, InternalError)
    assert "secret" not in str(told)
    assert rules.to_rpc_error(WireError("a format")).code == "malformed"
    assert rules.to_rpc_error(NotAllowed("why")).detail == "why"
