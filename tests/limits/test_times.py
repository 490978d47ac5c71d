"""Times that decisions turn on, one unit before and one past; no clock is waited for."""

from __future__ import annotations

from itertools import pairwise

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError
from enigma_fed.config import load
from enigma_fed.daemon.clocksteps import ClockSteps
from enigma_fed.federation import accepting, inviting
from enigma_fed.federation.schedule import next_join, next_poll, retry_floor
from enigma_fed.rpc import rules
from enigma_fed.rpc.challenge import Challenger
from enigma_fed.rpc.gate import in_start_window
from enigma_fed.rpc.noncetable import NonceTable
from enigma_fed.state.rules import sample_due
from enigma_fed.transports.tor import service
from enigma_fed.wire import invitesfile
from enigma_fed.wire.records import Stage
from tests.support import invitevectors
from tests.support.members import NOW, incoming, member, outgoing
from tests.support.memberships import HASH, accept, invite_of, join, membership

MIDDLE = 0.5
"""The chance at which jitter changes nothing."""


def test_freshness_window() -> None:
    """limits.FRESHNESS_WINDOW."""
    for sign in (-1, 1):
        created = 1_000_000 + sign * limits.FRESHNESS_WINDOW
        assert not rules.is_stale(created, created + 200, 1_000_000)
        assert rules.is_stale(created + sign, created + 200, 1_000_000)


def test_nonce_memory_outlives_every_window() -> None:
    """limits.NONCE_MEMORY."""
    assert limits.NONCE_MEMORY > limits.FRESHNESS_WINDOW + limits.SIGNATURE_LIFETIME
    table = NonceTable()
    end = rules.nonce_end(1000, wall=1000.0, boot=5.0)
    table.use(b"k", "n", until=end, now=5.0)
    with pytest.raises(rules.RpcError):
        table.use(b"k", "n", until=end, now=5.0 + limits.NONCE_MEMORY - 0.1)
    table.use(b"k", "n", until=end + 9, now=5.0 + limits.NONCE_MEMORY)


def test_invariant_7_nonce_memory_ends() -> None:
    """Of all keys, whoever comes next: a table that only grows would be full one day."""
    table = NonceTable()
    for number in range(limits.NONCES_PER_KEY):
        table.use(b"k", str(number), until=100.0 + number, now=0.0)
    comers = limits.NONCES_PER_KEY // limits.NONCES_FORGOTTEN
    for number in range(comers):
        table.use(b"another", str(number), until=10_000.0, now=100.0 + limits.NONCES_PER_KEY)
    assert len(table) == comers


def test_challenge_lifetime() -> None:
    """limits.CHALLENGE_LIFETIME."""
    challenger = Challenger(b"k" * 32)
    asked = challenger.issue(b"key", "nonce", 100.0)
    assert challenger.holds(asked, b"key", "nonce", 100.0 + limits.CHALLENGE_LIFETIME)
    assert not challenger.holds(asked, b"key", "nonce", 101.0 + limits.CHALLENGE_LIFETIME)


def test_challenge_after_start() -> None:
    """limits.CHALLENGE_AFTER_START outlives every signature made before the start."""
    assert limits.CHALLENGE_AFTER_START > limits.FRESHNESS_WINDOW + limits.SIGNATURE_LIFETIME
    assert in_start_window(limits.CHALLENGE_AFTER_START - 0.1, 0.0)
    assert not in_start_window(limits.CHALLENGE_AFTER_START, 0.0)


def test_steps_of_the_clock() -> None:
    """limits.CLOCK_STEP, and on top of it limits.CLOCK_SLEW for the time since the last look."""
    for seconds in (0, 3600):
        most = limits.CLOCK_STEP + seconds * limits.CLOCK_SLEW
        for sign in (-1, 1):
            assert not ClockSteps(1000, 10, 0).look(1000 + seconds + sign * (most - 0.01), 10 + seconds)
            assert ClockSteps(1000, 10, 0).look(1000 + seconds + sign * (most + 0.01), 10 + seconds)


def test_a_code_without_an_end_is_taken_as_one_of_a_day() -> None:
    """limits.INVITE_TTL_DEFAULT."""
    (entry,) = accept(membership(), invite_of(1, expires_at=None)).membership.invites.incoming
    assert entry.expires_at == NOW + limits.INVITE_TTL_DEFAULT
    rust = {"code": invitevectors.signed(), "created_at": "2026-11-20T08:49:00Z"}
    there = invitesfile._outgoing_of_rust(rust)
    assert there.expires_at == there.created_at + limits.INVITE_TTL_DEFAULT
    joined = membership(out=[outgoing(5, token_hash=HASH, expires_at=NOW + limits.INVITE_TTL_DEFAULT)])
    in_time = inviting.receive(joined, join(1), NOW + limits.INVITE_TTL_DEFAULT - 1)
    assert len(in_time.membership.nodes.nodes) == 1
    late = inviting.receive(joined, join(1), NOW + limits.INVITE_TTL_DEFAULT)
    assert late.membership.nodes.nodes == ()


def test_the_outbox_ends_a_day_after_the_code_and_a_month_after_it_for_who_waits() -> None:
    """limits.OUTBOX_AFTER_EXPIRY, limits.AWAITING_AFTER_EXPIRY."""
    entry = incoming(1)
    assert accepting.delivery_ends(entry) == entry.expires_at + limits.OUTBOX_AFTER_EXPIRY
    slow = incoming(1, stage=Stage.AWAITING_APPROVAL)
    assert accepting.delivery_ends(slow) == entry.expires_at + limits.AWAITING_AFTER_EXPIRY


@pytest.mark.parametrize(("past", "kept"), [(-1, True), (0, False)])
def test_the_hash_of_a_join_leaves_nodes_json_only_when_no_retry_can_come(past: int, kept: bool) -> None:
    """limits.AWAITING_AFTER_EXPIRY: a used token stays used while anybody retries with it."""
    old = outgoing(3, stage=Stage.CONFIRMED, code=None, used_by=member(1).did)
    joined = member(1, joined_with=(old.token_hash,))
    now = old.expires_at + limits.AWAITING_AFTER_EXPIRY + past
    again = outgoing(5, token_hash=HASH, expires_at=now + 60)
    (node,) = inviting.receive(
        membership(nodes=[joined], out=[old, again]), join(1), now
    ).membership.nodes.nodes
    assert (old.token_hash in node.joined_with) is kept


def test_polls_are_never_more_often_than_the_owner_may_ask_for() -> None:
    """limits.POLL_INTERVAL and limits.POLL_INTERVAL_MIN."""
    key = "ENIGMA_FED_FEDERATION__POLL_INTERVAL"
    assert load(None, {}).settings.federation.poll_interval == limits.POLL_INTERVAL
    least = load(None, {key: str(limits.POLL_INTERVAL_MIN)}).settings.federation.poll_interval
    assert least == limits.POLL_INTERVAL_MIN
    with pytest.raises(ConfigError):
        load(None, {key: str(limits.POLL_INTERVAL_MIN - 1)})


def test_backing_off_begins_at_the_first_pause_and_never_passes_the_last() -> None:
    """limits.POLL_BACKOFF_FIRST and _MAX, limits.JOIN_BACKOFF_FIRST and _MAX."""
    polls = [next_poll(member(1), failures, limits.POLL_INTERVAL, MIDDLE) for failures in range(1, 40)]
    joins = [next_join(incoming(1, attempts=failures), 0, MIDDLE) for failures in range(1, 40)]
    assert (polls[0], max(polls)) == (limits.POLL_BACKOFF_FIRST, limits.POLL_BACKOFF_MAX)
    assert (joins[0], max(joins)) == (limits.JOIN_BACKOFF_FIRST, limits.JOIN_BACKOFF_MAX)
    assert all(before <= after for pauses in (polls, joins) for before, after in pairwise(pauses))
    assert retry_floor(limits.POLL_BACKOFF_FIRST + 1) == limits.POLL_BACKOFF_FIRST


def test_who_never_answered_or_waits_for_an_owner_is_asked_slowly() -> None:
    """limits.POLL_INTERVAL_UNPROVEN, limits.JOIN_SLOW_RETRY."""
    assert next_poll(member(1, stage=Stage.USED), 1, 60, MIDDLE) == limits.POLL_INTERVAL_UNPROVEN
    waiting = incoming(1, stage=Stage.AWAITING_APPROVAL)
    assert next_join(waiting, 0, MIDDLE) == limits.JOIN_SLOW_RETRY


def test_gauges_are_read_no_more_often_than_the_interval() -> None:
    """limits.STATE_SAMPLE_INTERVAL."""
    assert not sample_due(limits.STATE_SAMPLE_INTERVAL - 0.01, 0.0)
    assert sample_due(limits.STATE_SAMPLE_INTERVAL, 0.0)


def test_tor_is_started_again_and_asked_again_with_growing_pauses_up_to_a_last() -> None:
    """limits.TOR_RESTART_FIRST and _MAX, limits.SELF_PROBE_FIRST and _MAX."""
    for pauses, first, last in (
        (service._RESTARTS, limits.TOR_RESTART_FIRST, limits.TOR_RESTART_MAX),
        (service._PROBES, limits.SELF_PROBE_FIRST, limits.SELF_PROBE_MAX),
    ):
        assert pauses.delay(1, MIDDLE) == first
        assert max(pauses.delay(tries, MIDDLE) for tries in range(1, 40)) == last
