from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.federation.schedule import (
    after_wait,
    first_poll,
    next_join,
    next_poll,
    poll_after_start,
    polled,
    retry_floor,
)
from enigma_fed.wire.records import Observation, Stage, TrustLevel
from tests.support.identities import did
from tests.support.members import NOW, incoming, member

chances = st.integers(0, 999).map(lambda thousandths: thousandths / 1000)


@given(chances)
def test_a_healthy_peer_is_polled_every_interval_with_a_tenth_of_jitter(chance: float) -> None:
    assert 54 <= next_poll(member(1), 0, 60, chance) <= 66


@given(chances, st.integers(1, 100))
def test_failures_are_backed_off_up_to_an_hour(chance: float, failures: int) -> None:
    delay = next_poll(member(1), failures, 60, chance)
    plain = min(15 * 2 ** (failures - 1), 3600)
    assert 0.8 * plain <= delay <= 1.2 * plain


@pytest.mark.parametrize(
    ("changes", "failures"),
    [
        ({"they_forgot_us": True}, 0),
        ({"stage": Stage.REFUSED}, 1),
        ({"stage": Stage.USED}, 1),
    ],
)
def test_who_does_not_know_us_or_never_answered_is_polled_hourly(
    changes: dict[str, Any], failures: int
) -> None:
    assert 3240 <= next_poll(member(1, **changes), failures, 60, 0.5) <= 3960


def test_a_joiner_is_polled_at_once_until_that_fails() -> None:
    assert next_poll(member(1, stage=Stage.USED), 0, 60, 0.5) == 60


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"paused": True}, False),
        ({"trust_level": TrustLevel.UNTRUSTED}, False),
        ({"trust_level": TrustLevel.UNTRUSTED, "stage": Stage.ANNOUNCED}, True),
        ({"stage": Stage.ACCEPTED_HERE}, False),
        ({"stage": Stage.AWAITING_APPROVAL}, False),
        ({"stage": Stage.USED}, True),
        ({"stage": Stage.REFUSED}, True),
    ],
)
def test_who_is_polled(changes: dict[str, Any], expected: bool) -> None:
    assert polled(member(1, **changes)) is expected


@given(chances)
def test_first_polls_of_new_peers_are_spread(chance: float) -> None:
    assert 0 <= first_poll(1, chance) <= 2
    assert 0 <= first_poll(1000, chance) <= 50
    assert after_wait(1000, chance) == first_poll(1000, chance)


@given(chances, st.none() | st.integers(0, 3))
def test_after_a_start_polls_are_spread_over_half_an_interval_at_least(
    chance: float, failures: int | None
) -> None:
    """Every other node may have started at the same moment, each with few peers, all of them ours."""
    seen = None if failures is None else Observation(did=did(1), failures=failures, next_poll_at=NOW - 1)
    assert poll_after_start(seen, 1, 60, NOW, chance) == chance * 30
    assert poll_after_start(seen, 1000, 60, NOW, chance) == chance * 50


@given(chances)
def test_a_pause_that_was_stored_is_kept_to_over_a_restart(chance: float) -> None:
    seen = Observation(did=did(1), failures=3, next_poll_at=NOW + 500)
    assert poll_after_start(seen, 1000, 60, NOW, chance) == 500
    assert poll_after_start(seen, 1000, 60, NOW - 10**6, chance) == limits.POLL_BACKOFF_MAX


@given(chances)
def test_who_answered_last_time_has_no_pause_to_keep_to(chance: float) -> None:
    seen = Observation(did=did(1), failures=0, next_poll_at=NOW + 500)
    assert poll_after_start(seen, 1, 60, NOW, chance) <= 30


def test_a_short_interval_is_not_outlasted_by_the_first_retry() -> None:
    assert (retry_floor(5), retry_floor(60)) == (5, 15)


@given(chances)
def test_joins_are_retried_quickly_at_first_and_slowly_while_the_other_owner_decides(chance: float) -> None:
    assert 1.6 <= next_join(incoming(1, attempts=1), 0, chance) <= 2.4
    assert 720 <= next_join(incoming(1, attempts=50), 0, chance) <= 1080
    assert 720 <= next_join(incoming(1, attempts=0), 50, chance) <= 1080
    assert 1620 <= next_join(incoming(1, stage=Stage.AWAITING_APPROVAL, attempts=1), 0, chance) <= 1980
