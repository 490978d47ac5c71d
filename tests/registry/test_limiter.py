"""How often one client may ask, by a clock turned by hand."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enigma_fed.base import registry_limits as limits
from enigma_fed.registry.clientaddress import ClientKey
from enigma_fed.registry.limiter import Bucket, Limiter, Refusal
from enigma_fed.registry.settings import EndpointRates, RateLimitSettings
from tests.support.manualclock import ManualClock

ALICE: Final = ClientKey("203.0.113.7")
BOB: Final = ClientKey("203.0.113.8")


def _limiter(settings: RateLimitSettings = RateLimitSettings()) -> tuple[Limiter, ManualClock]:  # noqa: B008
    clock = ManualClock()
    return Limiter(settings, clock), clock


def _admitted(limiter: Limiter, client: ClientKey, bucket: Bucket, most: int = 10_000) -> int:
    """How many requests pass at once until one is refused."""
    return next((number for number in range(most) if limiter.admit(client, bucket)), most)


def test_a_client_has_a_burst_and_then_a_rate() -> None:
    limiter, clock = _limiter()
    assert _admitted(limiter, ALICE, Bucket.OTHER) == 10
    clock.advance(2)
    assert _admitted(limiter, ALICE, Bucket.OTHER) == 10
    clock.advance(1)
    assert _admitted(limiter, ALICE, Bucket.OTHER) == 5


def test_another_client_is_another_account() -> None:
    limiter, _ = _limiter()
    _admitted(limiter, ALICE, Bucket.RESOLVE)
    assert limiter.admit(BOB, Bucket.RESOLVE) is None


def test_a_refusal_says_when_to_come_back_and_that_is_true() -> None:
    limiter, clock = _limiter(RateLimitSettings(endpoints=EndpointRates(register_rps=0.1)))
    _admitted(limiter, ALICE, Bucket.REGISTER)
    refusal = limiter.admit(ALICE, Bucket.REGISTER)
    assert refusal == Refusal(10)
    clock.advance(9)
    assert limiter.admit(ALICE, Bucket.REGISTER) == Refusal(1)
    clock.advance(1)
    assert limiter.admit(ALICE, Bucket.REGISTER) is None


@pytest.mark.parametrize("bucket", [bucket for bucket in Bucket if bucket is not Bucket.OTHER])
def test_every_kind_of_request_has_a_bucket_of_its_own(bucket: Bucket) -> None:
    rates = EndpointRates(**{f"{bucket}_rps": 0.001})
    limiter, clock = _limiter(RateLimitSettings(per_ip_rps=100, burst=3, endpoints=rates))
    assert _admitted(limiter, ALICE, bucket) == 3
    clock.advance(10)
    assert limiter.admit(ALICE, bucket) is not None
    for other in {*Bucket} - {bucket}:
        clock.advance(1)
        assert limiter.admit(ALICE, other) is None


def test_all_requests_of_a_client_together_have_a_rate() -> None:
    limiter, _ = _limiter()
    kinds = [bucket for bucket in Bucket for _ in range(2)]
    assert [limiter.admit(ALICE, bucket) is None for bucket in kinds].count(True) == 10


@pytest.mark.parametrize("bucket", [Bucket.ANNOUNCE, Bucket.SYNC])
def test_an_announcement_is_charged_once(bucket: Bucket) -> None:
    rates = EndpointRates(announce_rps=5, sync_rps=5)
    limiter, _ = _limiter(RateLimitSettings(endpoints=rates))
    assert _admitted(limiter, ALICE, bucket) == 10


def test_what_is_refused_is_not_charged() -> None:
    limiter, clock = _limiter(RateLimitSettings(burst=3, endpoints=EndpointRates(register_rps=0.001)))
    assert _admitted(limiter, ALICE, Bucket.REGISTER) == 3
    clock.advance(1)
    for _ in range(5):
        assert limiter.admit(ALICE, Bucket.REGISTER) is not None
    assert _admitted(limiter, ALICE, Bucket.RESOLVE) == 3


def test_invariant_7_only_repeated_abuse_is_banned() -> None:
    """limits.REFUSALS_BEFORE_BAN: haste is refused, going on is a ban, which ends by itself."""
    limiter, clock = _limiter()
    _admitted(limiter, ALICE, Bucket.RESOLVE)
    for _ in range(limits.REFUSALS_BEFORE_BAN - 1):
        refusal = limiter.admit(ALICE, Bucket.RESOLVE)
        assert refusal is not None
        assert not refusal.banned
    assert limiter.admit(ALICE, Bucket.RESOLVE) == Refusal(300, banned=True)
    clock.advance(299)
    assert limiter.admit(ALICE, Bucket.CHECK_USER) == Refusal(1, banned=True)
    clock.advance(1)
    assert limiter.admit(ALICE, Bucket.CHECK_USER) is None
    assert limiter.counts["banned"] == 1


def test_a_ban_is_not_made_longer_by_asking() -> None:
    limiter, clock = _limiter()
    for _ in range(1000):
        limiter.admit(ALICE, Bucket.RESOLVE)
    clock.advance(300)
    assert limiter.admit(ALICE, Bucket.RESOLVE) is None


def test_refusals_are_forgotten_with_time() -> None:
    """limits.REFUSALS_MEMORY."""
    limiter, clock = _limiter(RateLimitSettings(endpoints=EndpointRates(register_rps=0.001)))
    _admitted(limiter, ALICE, Bucket.REGISTER)
    pause = limits.REFUSALS_MEMORY / limits.REFUSALS_BEFORE_BAN
    for _ in range(10 * limits.REFUSALS_BEFORE_BAN):
        clock.advance(pause)
        refusal = limiter.admit(ALICE, Bucket.REGISTER)
        assert refusal is not None
        assert not refusal.banned


def test_without_bans_a_client_is_only_refused() -> None:
    limiter, clock = _limiter(RateLimitSettings(ban_seconds=0))
    for _ in range(1000):
        limiter.admit(ALICE, Bucket.RESOLVE)
    clock.advance(1)
    assert limiter.admit(ALICE, Bucket.RESOLVE) is None


def test_switched_off_everyone_passes_and_nothing_is_kept() -> None:
    limiter, _ = _limiter(RateLimitSettings(enabled=False))
    assert _admitted(limiter, ALICE, Bucket.REGISTER, most=500) == 500
    assert len(limiter) == 0


def test_other_settings_hold_at_once_and_what_was_used_stays_used() -> None:
    limiter, _ = _limiter()
    _admitted(limiter, ALICE, Bucket.OTHER)
    limiter.replace(RateLimitSettings(enabled=False))
    assert limiter.admit(ALICE, Bucket.OTHER) is None
    limiter.replace(RateLimitSettings(burst=20))
    assert _admitted(limiter, ALICE, Bucket.OTHER) == 10
    assert _admitted(limiter, BOB, Bucket.OTHER) == 20


def test_the_shared_account_is_never_banned_and_forgets_nobody() -> None:
    """limits.SHARED_CLIENTS: as many clients' worth, and challenges apart."""
    limiter, clock = _limiter()
    shared = ClientKey.shared()
    assert _admitted(limiter, shared, Bucket.RESOLVE) == 10 * limits.SHARED_CLIENTS
    for _ in range(1000):
        refusal = limiter.admit(shared, Bucket.RESOLVE)
        assert refusal is not None
        assert not refusal.banned
    assert _admitted(limiter, shared, Bucket.CHALLENGE) == 10 * limits.SHARED_CLIENTS
    clock.advance(1)
    assert limiter.admit(shared, Bucket.RESOLVE) is None
    assert len(limiter) == 0


def _crowd(limiter: Limiter, number: int, client: Callable[[int], ClientKey] = ClientKey.circuit) -> None:
    for each in range(number):
        limiter.admit(client(each), Bucket.RESOLVE)


def test_invariant_7_accounts_are_bounded_and_a_newcomer_is_served_all_the_same() -> None:
    """limits.CLIENTS, limits.NEWCOMERS_BURST, limits.NEWCOMERS_RATE."""
    limiter, clock = _limiter()
    _crowd(limiter, limits.CLIENTS)
    assert len(limiter) == limits.CLIENTS
    newcomers = [
        limiter.admit(ClientKey(f"n{each}"), Bucket.RESOLVE) for each in range(limits.NEWCOMERS_BURST + 1)
    ]
    assert newcomers == [None] * limits.NEWCOMERS_BURST + [Refusal(1)]
    assert len(limiter) == limits.CLIENTS
    assert limiter.admit(ClientKey.circuit(0), Bucket.RESOLVE) is None, "who was there is served as before"
    clock.advance(0.1)
    again = [limiter.admit(ClientKey(f"n{each}"), Bucket.RESOLVE) for each in range(limits.NEWCOMERS_RATE)]
    assert again.count(None) == limits.NEWCOMERS_RATE // 10
    assert limiter.counts["no-room"] == 1 + limits.NEWCOMERS_RATE - limits.NEWCOMERS_RATE // 10


def test_invariant_7_a_flood_of_strangers_lifts_no_ban() -> None:
    limiter, _ = _limiter()
    for _ in range(100):
        limiter.admit(ALICE, Bucket.RESOLVE)
    _crowd(limiter, 2 * limits.CLIENTS)
    refusal = limiter.admit(ALICE, Bucket.RESOLVE)
    assert refusal is not None
    assert refusal.banned


def test_accounts_that_say_nothing_any_more_are_forgotten_as_others_come() -> None:
    limiter, clock = _limiter()
    _crowd(limiter, 1000)
    clock.advance(60)
    for each in range(1000):
        limiter.admit(ClientKey(f"later {each}"), Bucket.RESOLVE)
    assert len(limiter) <= 1001


def test_invariant_7_few_accounts_are_looked_at_for_a_newcomer() -> None:
    """limits.CLIENT_LOOKS: the one that can go is found, but not at once."""
    limiter, clock = _limiter(RateLimitSettings(endpoints=EndpointRates(owner_rps=0.001)))
    for each in range(limits.CLIENTS):
        idle = each == limits.CLIENT_LOOKS
        limiter.admit(ClientKey.circuit(each), Bucket.RESOLVE if idle else Bucket.OWNER)
    order = list(limiter._accounts)
    place = order.index(ClientKey.circuit(limits.CLIENT_LOOKS))
    clock.advance(60)
    tries = -(-(place + 1) // limits.CLIENT_LOOKS)
    for _ in range(tries - 1):
        limiter.admit(BOB, Bucket.RESOLVE)
        assert BOB not in limiter._accounts
    limiter.admit(BOB, Bucket.RESOLVE)
    assert BOB in limiter._accounts


def test_invariant_7_memory_stays_bounded_under_many_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.CLIENTS accounts of 1 KB, whoever comes; the soak run has a million strangers."""
    monkeypatch.setattr(limits, "CLIENTS", 1000)
    limiter, clock = _limiter()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for each in range(10 * limits.CLIENTS):
        limiter.admit(ClientKey.circuit(each), Bucket.RESOLVE)
        if each % 1000 == 0:
            clock.advance(1)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(limiter) <= limits.CLIENTS
    assert grown < limits.CLIENTS * 1024


class _Model:
    """Buckets as the reference describes them, without bound: levels that rise with time."""

    def __init__(self, settings: RateLimitSettings) -> None:
        self._settings = settings
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}

    def admits(self, client: str, bucket: Bucket, now: float) -> bool:
        own = getattr(self._settings.endpoints, f"{bucket}_rps", self._settings.per_ip_rps)
        names = ((client, "all", self._settings.per_ip_rps), (client, bucket.value, own))
        levels = [self._level(name, kind, rate, now) for name, kind, rate in names]
        taken = 1 if min(levels) >= 1 - 1e-6 else 0
        for (name, kind, _), level in zip(names, levels, strict=True):
            self._levels[name, kind] = (level - taken, now)
        return bool(taken)

    def _level(self, client: str, kind: str, rate: float, now: float) -> float:
        level, at = self._levels.get((client, kind), (float(self._settings.burst), now))
        return min(float(self._settings.burst), level + (now - at) * rate)


_STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from("abcdef"), st.sampled_from(Bucket), st.sampled_from([0, 0, 0, 0.125, 0.5, 1, 4, 40])
    ),
    max_size=120,
)


@settings(max_examples=100, deadline=None)
@given(_STEPS)
def test_the_limiter_does_what_unbounded_buckets_would(steps: list[tuple[str, Bucket, float]]) -> None:
    """With bans off: forgetting idle accounts is never seen from outside."""
    rates = RateLimitSettings(per_ip_rps=4, burst=4, ban_seconds=0, endpoints=EndpointRates(owner_rps=0.25))
    limiter, clock = _limiter(rates)
    model = _Model(rates)
    for name, bucket, pause in steps:
        clock.advance(pause)
        admitted = limiter.admit(ClientKey(name), bucket)
        assert (admitted is None) == model.admits(name, bucket, clock.boot())
        assert admitted is None or 1 <= admitted.retry_after <= math.ceil(1 / 0.25)
