"""A million strangers at a registry's door: what is kept for them stays within bounds. Figures: `-s`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import psutil
import pytest

from enigma_fed.base import registry_limits as limits
from enigma_fed.base.registry_errors import PowRequired, Unavailable
from enigma_fed.registry.clientaddress import ClientKey, client_of
from enigma_fed.registry.limiter import Bucket, Limiter
from enigma_fed.registry.pow import ProofOfWork
from enigma_fed.registry.presence import Presences
from enigma_fed.registry.settings import PowSettings, PresenceSettings, RateLimitSettings
from enigma_fed.wire import powchallenge
from enigma_fed.wire.userid import UserId
from tests.support.manualclock import ManualClock

STRANGERS = 1_000_000
A_SECOND = 5_000
"""Of them arrive in a second: as many as one process answers, and more."""
MIB = 2**20


def _strangers(clock: ManualClock) -> Iterator[tuple[int, ClientKey]]:
    """IPv6 networks, each once."""
    for number in range(STRANGERS):
        if number % A_SECOND == 0:
            clock.advance(1)
        yield number, client_of(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1", (), ())


def _memory() -> int:
    return psutil.Process().memory_info().rss


def _report(what: str, begun: float, before: int, kept: int) -> None:
    took = (time.perf_counter() - begun) / STRANGERS * 1e6
    more = (_memory() - before) / MIB
    print(f"{what}: {STRANGERS} strangers, {kept} kept, {more:.1f} MiB more, {took:.1f} µs each")


def test_invariant_7_a_million_addresses_at_the_limiter() -> None:
    """limits.CLIENTS."""
    clock = ManualClock()
    limiter = Limiter(RateLimitSettings(), clock)
    before, begun, served, most = _memory(), time.perf_counter(), 0, 0
    for number, client in _strangers(clock):
        served += limiter.admit(client, Bucket.RESOLVE) is None
        if number % 1000 == 0:
            most = max(most, len(limiter))
    _report("limiter", begun, before, most)
    assert most <= limits.CLIENTS
    assert _memory() - before < 32 * MIB
    assert served == STRANGERS, "who asks once is served, whoever else comes"


def test_invariant_7_a_million_addresses_that_hold_on_to_their_accounts() -> None:
    """limits.CLIENTS, limits.NEWCOMERS_RATE: who is known is served, newcomers share."""
    clock = ManualClock()
    limiter = Limiter(RateLimitSettings(), clock)
    known = client_of("203.0.113.7", (), ())
    before, begun, refused = _memory(), time.perf_counter(), 0
    for number, client in _strangers(clock):
        if number % A_SECOND == 0:
            assert limiter.admit(known, Bucket.RESOLVE) is None
        for _ in range(5):
            limiter.admit(client, Bucket.OWNER)
        refused += limiter.admit(client, Bucket.RESOLVE) is not None
    _report("limiter, five times each", begun, before, len(limiter))
    assert len(limiter) <= limits.CLIENTS
    assert _memory() - before < 32 * MIB
    assert refused > STRANGERS / 4, "there was no room for many"


@pytest.mark.parametrize("length", [1, 256])
def test_invariant_7_a_million_users_are_announced(length: int) -> None:
    """limits.PRESENCES."""
    clock = ManualClock()
    presences = Presences(PresenceSettings(ttl_seconds=60), clock)
    before, begun, stored = _memory(), time.perf_counter(), 0
    for number, client in _strangers(clock):
        address = f"{number:0{length}}"[-length:]
        try:
            presences.announce(UserId(number.to_bytes(32, "big")), address, 1, client)
            stored += 1
        except Unavailable:
            pass
        if number % (60 * A_SECOND) == 0:
            while presences.collect():
                assert len(presences) <= limits.PRESENCES
    _report(f"presences of {length} bytes", begun, before, len(presences))
    assert len(presences) <= limits.PRESENCES
    assert limits.PRESENCES < stored < STRANGERS, "places get free again"
    assert _memory() - before < limits.PRESENCES * 1024


def test_invariant_7_a_million_challenges_and_wrong_solutions() -> None:
    """limits.POW_USED: nothing is kept of what nobody solved, and no more than that of what was solved."""
    clock = ManualClock()
    pow_ = ProofOfWork(PowSettings(enabled=True, difficulty=1), os.urandom(32), clock, os.urandom)
    before, begun, opened, full = _memory(), time.perf_counter(), 0, 0
    for number in range(STRANGERS):
        if number % A_SECOND == 0:
            clock.advance(1)
        challenge = pow_.challenge(None)
        solved = number % 4 == 0 and powchallenge.meets(challenge.text, "x", challenge.difficulty)
        try:
            pow_.check(
                f"{challenge.text}:{'x' if solved else 'wrong'}", "/resolve", number.to_bytes(8, "big")
            )
            opened += 1
        except PowRequired:
            continue
        except Unavailable:
            full += 1
    _report("proof of work", begun, before, len(pow_))
    print(f"{opened} solved, {full} too many, {pow_.difficulty} bits at the end")
    assert len(pow_) <= limits.POW_USED
    assert _memory() - before < limits.POW_USED * 512
