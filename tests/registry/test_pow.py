"""Challenges and their solutions, by clocks turned by hand."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enigma_fed.base import registry_limits as limits
from enigma_fed.base.registry_errors import PowRequired, Unavailable
from enigma_fed.registry.pow import Challenge, ProofOfWork
from enigma_fed.registry.settings import PowSettings
from enigma_fed.wire import powchallenge
from tests.support.manualclock import ManualClock

SECRET: Final = bytes(range(32))
CHEAP: Final = PowSettings(enabled=True, difficulty=2)
TTL: Final = CHEAP.ttl_seconds
RESOLVE: Final = "/resolve"
CHECK: Final = "/check_user"
BODY: Final = b"digest of a request"


def _pow(pow_settings: PowSettings = CHEAP) -> tuple[ProofOfWork, ManualClock]:
    clock = ManualClock(boot=10_000.25)
    salts = itertools.count()
    return ProofOfWork(pow_settings, SECRET, clock, lambda size: next(salts).to_bytes(size, "big")), clock


def _solutions(challenge: Challenge) -> list[str]:
    """Headers: one that holds, another that holds, one that does not."""
    numbers = itertools.count()
    good = (n for n in numbers if powchallenge.meets(challenge.text, str(n), challenge.difficulty))
    bad = (
        n for n in itertools.count() if not powchallenge.meets(challenge.text, str(n), challenge.difficulty)
    )
    return [f"{challenge.text}:{next(each)}" for each in (good, good, bad)]


def _solve(challenge: Challenge) -> str:
    return _solutions(challenge)[0]


def _refused(pow_: ProofOfWork, header: str | None, route: str = RESOLVE, digest: bytes = BODY) -> bool:
    try:
        pow_.check(header, route, digest)
    except PowRequired:
        return True
    return False


def test_a_solved_challenge_opens_one_request() -> None:
    pow_, clock = _pow()
    challenge = pow_.challenge(None)
    assert challenge.difficulty == 2
    assert abs(challenge.expires_ms - (clock.wall() + TTL) * 1000) <= 2000
    pow_.check(_solve(challenge), RESOLVE, BODY)


def test_nothing_else_opens_one() -> None:
    pow_, _ = _pow()
    challenge = pow_.challenge(None)
    other = ProofOfWork(CHEAP, bytes(32), ManualClock(), os.urandom).challenge(None)
    for header in (None, "", ":", challenge.text, f"{challenge.text}:", f":{challenge.text}", _solve(other)):
        assert _refused(pow_, header)


def test_invariant_1_a_challenge_is_used_up_by_the_request_that_it_opened() -> None:
    pow_, _ = _pow()
    first, second, _ = _solutions(pow_.challenge(None))
    pow_.check(first, RESOLVE, BODY)
    assert _refused(pow_, first, digest=b"another")
    assert _refused(pow_, first, route=CHECK)
    assert _refused(pow_, second)


def test_the_same_request_is_answered_again() -> None:
    pow_, clock = _pow()
    header = _solve(pow_.challenge(RESOLVE))
    for _ in range(3):
        pow_.check(header, RESOLVE, BODY)
        clock.advance(1)
    assert len(pow_) == 1


def test_invariant_7_one_solution_is_good_for_a_few_tries_whatever_they_ask() -> None:
    for digest, refusals in ((BODY, 0), (b"another", limits.POW_TRIES - 1)):
        pow_, _ = _pow()
        header = _solve(pow_.challenge(None))
        pow_.check(header, RESOLVE, BODY)
        assert sum(_refused(pow_, header, digest=digest) for _ in range(limits.POW_TRIES - 1)) == refusals
        assert _refused(pow_, header)


def test_invariant_7_a_wrong_solution_opens_nothing_and_uses_nothing_up() -> None:
    pow_, _ = _pow()
    good, _, bad = _solutions(pow_.challenge(None))
    assert _refused(pow_, bad)
    assert _refused(pow_, bad)
    pow_.check(good, RESOLVE, BODY)


def test_invariant_1_a_challenge_of_a_route_opens_that_route_alone() -> None:
    pow_, _ = _pow()
    header = _solve(pow_.challenge(RESOLVE))
    assert _refused(pow_, header, route=CHECK)
    pow_.check(header, RESOLVE, BODY)


@pytest.mark.parametrize("route", [RESOLVE, CHECK, "/register"])
def test_one_without_a_route_opens_any(route: str) -> None:
    pow_, _ = _pow()
    pow_.check(_solve(pow_.challenge(None)), route, BODY)


def test_invariant_1_an_expired_one_opens_nothing_not_even_again() -> None:
    pow_, clock = _pow()
    used, unused = _solve(pow_.challenge(None)), _solve(pow_.challenge(None))
    pow_.check(used, RESOLVE, BODY)
    clock.step_wall(-(10**6))
    clock.advance(TTL)
    assert _refused(pow_, used)
    assert _refused(pow_, unused)


def test_one_holds_until_the_second_that_it_says() -> None:
    pow_, clock = _pow()
    challenge = pow_.challenge(None)
    clock.advance(TTL - 1)
    pow_.check(_solve(challenge), RESOLVE, BODY)
    assert challenge.expires_ms <= (clock.wall() + 1) * 1000


def test_after_a_restart_those_of_before_are_void() -> None:
    pow_, clock = _pow()
    header = _solve(pow_.challenge(None))
    assert _refused(ProofOfWork(CHEAP, bytes(32), clock, os.urandom), header)


@pytest.mark.parametrize("place", range(32))
def test_a_changed_challenge_is_no_longer_ours(place: int) -> None:
    pow_, _ = _pow()
    text = pow_.challenge(None).text
    forged = text[:place] + format(int(text[place], 16) ^ 1, "x") + text[place + 1 :]
    numbers = (f"{forged}:{n}" for n in range(200))
    assert all(_refused(pow_, header) for header in numbers)
    assert len(pow_) == 0


def test_another_spelling_of_a_challenge_is_no_second_one() -> None:
    pow_, _ = _pow()
    text = pow_.challenge(None).text
    for spelled in (text.upper(), f" {text}", f"0x{text}", text.replace("0", "\uff10", 1)):
        if spelled != text:
            assert all(_refused(pow_, f"{spelled}:{n}") for n in range(50))


def test_invariant_7_what_is_remembered_is_bounded_and_opens_nothing_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """limits.POW_USED: then solved requests wait until one has expired."""
    monkeypatch.setattr(limits, "POW_USED", 50)
    pow_, clock = _pow()
    headers = [_solve(pow_.challenge(None)) for _ in range(limits.POW_USED)]
    for header in headers:
        pow_.check(header, RESOLVE, BODY)
    late = _solve(pow_.challenge(None))
    with pytest.raises(Unavailable) as refused:
        pow_.check(late, RESOLVE, BODY)
    assert refused.value.retry_after == TTL
    assert all(_refused(pow_, header, digest=b"another") for header in headers)
    pow_.check(headers[0], RESOLVE, BODY)
    clock.advance(TTL)
    pow_.check(_solve(pow_.challenge(None)), RESOLVE, BODY)
    assert len(pow_) <= limits.POW_USED


def test_few_expired_ones_are_forgotten_at_once() -> None:
    """limits.POW_FORGOTTEN: with each new one more than one, so they do not gather."""
    pow_, clock = _pow()
    for _ in range(20):
        pow_.check(_solve(pow_.challenge(None)), RESOLVE, BODY)
    clock.advance(TTL)
    pow_.check(_solve(pow_.challenge(None)), RESOLVE, BODY)
    assert len(pow_) == 20 - limits.POW_FORGOTTEN + 1


def _load(pow_: ProofOfWork, clock: ManualClock, per_second: int) -> int:
    """Solve requests at that rate until the price stands still; the price in bits."""
    for _ in range(6 * limits.POW_RATE_WINDOW):
        for _ in range(per_second):
            pow_.check(_solve(Challenge(pow_.challenge(None).text, pow_.difficulty, 0)), RESOLVE, BODY)
        clock.advance(1)
    return pow_.difficulty


def test_the_price_rises_with_load_and_falls_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.POW_EASY_RATE, limits.POW_RATE_WINDOW: a bit for each doubling."""
    monkeypatch.setattr(limits, "POW_EASY_RATE", 2)
    pow_, clock = _pow(PowSettings(enabled=True, difficulty=1))
    assert _load(pow_, clock, 1) == 1
    assert _load(pow_, clock, 3) == 2
    assert _load(pow_, clock, 6) == 3
    clock.advance(10 * limits.POW_RATE_WINDOW)
    assert pow_.difficulty == 1


def test_the_price_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.POW_RISE, limits.POW_DIFFICULTY_MAX."""
    monkeypatch.setattr(limits, "POW_EASY_RATE", 0.01)
    monkeypatch.setattr(limits, "POW_RISE", 3)
    pow_, clock = _pow(PowSettings(enabled=True, difficulty=1))
    assert _load(pow_, clock, 2) == 4
    pow_.replace(PowSettings(enabled=True, difficulty=limits.POW_DIFFICULTY_MAX - 1))
    assert pow_.difficulty == limits.POW_DIFFICULTY_MAX


def test_wrong_and_repeated_solutions_raise_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "POW_EASY_RATE", 0.5)
    pow_, _ = _pow()
    good, _, bad = _solutions(pow_.challenge(None))
    assert all(_refused(pow_, bad) for _ in range(100))
    for _ in range(limits.POW_TRIES):
        pow_.check(good, RESOLVE, BODY)
    assert pow_.difficulty == 2


def test_what_was_asked_at_a_price_is_taken_at_that_price() -> None:
    pow_, _ = _pow()
    header = _solve(pow_.challenge(None))
    pow_.replace(PowSettings(enabled=True, difficulty=20))
    pow_.check(header, RESOLVE, BODY)


_ACTIONS: Final = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from([RESOLVE, CHECK]),
        st.sampled_from([b"one", b"two"]),
        st.integers(0, 2),
        st.sampled_from([0, 0, 1, 60, 119]),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(_ACTIONS)
def test_each_challenge_opens_one_request_at_most(actions: list[tuple[int, str, bytes, int, int]]) -> None:
    """Any order of right and wrong solutions, repeats, routes and pauses."""
    pow_, clock = _pow()
    begun = clock.boot()
    solutions = [_solutions(pow_.challenge(route)) for route in (None, None, RESOLVE, CHECK)]
    routes = [{RESOLVE, CHECK}, {RESOLVE, CHECK}, {RESOLVE}, {CHECK}]
    opened: dict[int, tuple[str, bytes, int]] = {}
    tries: Counter[int] = Counter()
    for which, route, digest, solution, pause in actions:
        clock.advance(pause)
        fresh = clock.boot() - begun < TTL - 1
        request = (route, digest, solution)
        valid = fresh and solution < 2 and route in routes[which] and tries[which] < limits.POW_TRIES
        good = valid and opened.get(which, request) == request
        if not fresh and clock.boot() - begun < TTL:
            continue
        assert _refused(pow_, solutions[which][solution], route, digest) is not good
        if good:
            opened[which] = request
        tries[which] += valid


@given(st.text())
def test_any_header_is_refused_or_taken(header: str) -> None:
    pow_, _ = _pow()
    assert _refused(pow_, header)
