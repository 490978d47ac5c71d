"""Who was announced where, by clocks turned by hand."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from enigma_fed.base import registry_limits as limits
from enigma_fed.base.registry_errors import InputRefused, RateLimited, Unavailable
from enigma_fed.registry.clientaddress import ClientKey
from enigma_fed.registry.presence import PresenceRecord, Presences
from enigma_fed.registry.settings import PresenceSettings
from enigma_fed.wire.userid import UserId
from tests.support.manualclock import ManualClock

HOME: Final = ClientKey("203.0.113.7")
ELSEWHERE: Final = ClientKey("203.0.113.8")
TTL: Final = 300


def _presences(clock: ManualClock | None = None) -> tuple[Presences, ManualClock]:
    clock = clock or ManualClock()
    return Presences(PresenceSettings(ttl_seconds=TTL), clock), clock


def _user(number: int) -> UserId:
    return UserId(number.to_bytes(32, "big"))


def _now_ms(clock: ManualClock) -> int:
    return int(clock.wall() * 1000)


def _found(presences: Presences, number: int = 1) -> PresenceRecord:
    found = presences.find(_user(number))
    assert found is not None
    return found


def test_an_announcement_holds_from_its_arrival() -> None:
    presences, clock = _presences()
    arrived = _now_ms(clock)
    presences.announce(_user(1), " https://home.example ", arrived - 5000, HOME)
    clock.advance(TTL - 1)
    assert _found(presences) == PresenceRecord(
        "https://home.example", arrived - 5000, arrived, arrived + TTL * 1000, signed=False
    )
    clock.advance(1)
    assert presences.find(_user(1)) is None


def test_a_heartbeat_renews_what_holds_and_nothing_else() -> None:
    presences, clock = _presences()
    made = _now_ms(clock)
    assert not presences.renew(_user(1), "here", made, HOME), "who was never announced may not exist"
    presences.announce(_user(1), "here", made, HOME)
    assert not presences.renew(_user(1), "there", made, ELSEWHERE), "a share of another client is used"
    assert _found(presences).addr == "here"
    clock.advance(TTL - 1)
    assert presences.renew(_user(1), " there ", made + 10**9, HOME)
    assert _found(presences).addr == "there"
    assert _found(presences).ts_ms == _now_ms(clock)
    clock.advance(TTL)
    assert not presences.renew(_user(1), "here", made, HOME), "it may have been revoked since"


def test_a_heartbeat_leaves_a_signed_one_as_it_is() -> None:
    presences, clock = _presences()
    presences.announce(_user(1), "signed", _now_ms(clock), HOME, signed=True)
    clock.advance(1)
    assert presences.renew(_user(1), "forged", _now_ms(clock), HOME)
    assert _found(presences).addr == "signed"
    clock.advance(TTL - 1)
    assert presences.find(_user(1)) is None
    assert not presences.renew(_user(1), "forged", _now_ms(clock), HOME)


def test_its_own_time_neither_lengthens_nor_shortens_it() -> None:
    presences, clock = _presences()
    presences.announce(_user(1), "far ahead", _now_ms(clock) + 10**12, HOME)
    presences.announce(_user(2), "long ago", 1, HOME)
    assert _found(presences, 1).ts_ms == _now_ms(clock)
    clock.advance(TTL - 1)
    assert _found(presences, 2).ts_ms == 1
    clock.advance(1)
    assert presences.find(_user(1)) is None


def test_a_step_of_the_wall_clock_changes_no_lifetime() -> None:
    presences, clock = _presences()
    presences.announce(_user(1), "here", _now_ms(clock), HOME)
    clock.step_wall(10**6)
    assert presences.find(_user(1)) is not None
    clock.step_wall(-2 * 10**6)
    clock.advance(TTL)
    assert presences.find(_user(1)) is None


def test_the_last_one_wins_even_with_an_older_time() -> None:
    presences, clock = _presences()
    presences.announce(_user(1), "first", _now_ms(clock), HOME)
    presences.announce(_user(1), "second", _now_ms(clock) - 60_000, ELSEWHERE)
    assert _found(presences).addr == "second"
    assert len(presences) == 1


def test_a_signed_one_is_replaced_by_none_that_anybody_could_write() -> None:
    presences, clock = _presences()
    presences.announce(_user(1), "forged before", _now_ms(clock), ELSEWHERE)
    presences.announce(_user(1), "signed", _now_ms(clock), HOME, signed=True)
    clock.advance(TTL - 1)
    presences.announce(_user(1), "forged", _now_ms(clock), ELSEWHERE)
    assert _found(presences).addr == "signed"
    assert _found(presences).signed
    clock.advance(1)
    assert presences.find(_user(1)) is None
    presences.announce(_user(1), "unsigned again", _now_ms(clock), ELSEWHERE)
    assert not _found(presences).signed


def test_invariant_1_a_captured_signed_one_brings_no_old_address_back() -> None:
    presences, clock = _presences()
    old, new = _now_ms(clock) - 2000, _now_ms(clock) - 1000
    presences.announce(_user(1), "old", old, HOME, signed=True)
    presences.announce(_user(1), "new", new, HOME, signed=True)
    for addr, made in (("old", old), ("other", new)):
        with pytest.raises(InputRefused):
            presences.announce(_user(1), addr, made, ELSEWHERE, signed=True)
    assert _found(presences).addr == "new"


def test_invariant_1_a_repeated_signed_one_holds_no_longer_for_it() -> None:
    presences, clock = _presences()
    made = _now_ms(clock)
    presences.announce(_user(1), "here", made, HOME, signed=True)
    clock.advance(TTL - 1)
    presences.announce(_user(1), "here", made, HOME, signed=True)
    clock.advance(1)
    assert presences.find(_user(1)) is None
    with pytest.raises(InputRefused):
        presences.announce(_user(1), "here", made, HOME, signed=True)


def test_a_signed_one_is_of_now() -> None:
    """limits.PRESENCE_AHEAD."""
    presences, clock = _presences()
    ahead = limits.PRESENCE_AHEAD * 1000
    for made in (_now_ms(clock) + ahead + 1, _now_ms(clock) - TTL * 1000):
        with pytest.raises(InputRefused) as refused:
            presences.announce(_user(1), "here", made, HOME, signed=True)
        assert refused.value.field == "ts_ms"
    presences.announce(_user(1), "here", _now_ms(clock) + ahead, HOME, signed=True)
    assert _found(presences).ts_ms == _now_ms(clock)


def test_a_dropped_one_is_gone_at_once_and_its_place_with_the_next_round() -> None:
    presences, clock = _presences()
    presences.announce(_user(1), "here", _now_ms(clock), HOME, signed=True)
    presences.drop(_user(1))
    presences.drop(_user(2))
    assert presences.find(_user(1)) is None
    assert not presences.collect()
    assert len(presences) == 0


def test_a_round_forgets_what_has_expired_and_nothing_else() -> None:
    """limits.PRESENCES_A_STEP."""
    presences, clock = _presences()
    number = 2 * limits.PRESENCES_A_STEP
    for each in range(number):
        presences.announce(_user(each), "here", 1, ClientKey.circuit(each))
    clock.advance(TTL - 1)
    for each in range(0, number, 2):
        presences.announce(_user(each), "still here", 1, ClientKey.circuit(each))
    clock.advance(1)
    assert presences.collect(), "one step is not the whole round"
    assert number // 2 < len(presences) < number
    assert not presences.collect()
    assert len(presences) == number // 2
    assert all(presences.find(_user(each)) for each in range(0, number, 2))


def test_invariant_7_presences_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.PRESENCES: who is there stays, and one more is told to come later."""
    monkeypatch.setattr(limits, "PRESENCES", 1000)
    presences, clock = _presences()
    for each in range(limits.PRESENCES):
        presences.announce(_user(each), "here", 1, ClientKey.circuit(each))
    with pytest.raises(Unavailable) as refused:
        presences.announce(_user(limits.PRESENCES), "here", 1, HOME)
    assert refused.value.retry_after == presences.reannounce_after
    presences.announce(_user(0), "there", 1, ClientKey.circuit(0))
    assert _found(presences, 0).addr == "there"
    clock.advance(TTL)
    presences.announce(_user(limits.PRESENCES), "here", 1, HOME)
    assert len(presences) <= limits.PRESENCES


def test_invariant_7_one_client_announces_only_so_many_users() -> None:
    """limits.PRESENCES_PER_CLIENT."""
    presences, clock = _presences()
    for each in range(limits.PRESENCES_PER_CLIENT):
        presences.announce(_user(each), "here", 1, HOME)
    presences.announce(_user(9999), "here", 1, ELSEWHERE)
    for each in (5000, 9999):
        with pytest.raises(RateLimited):
            presences.announce(_user(each), "stolen", 1, HOME)
    assert _found(presences, 9999).addr == "here"
    presences.announce(_user(0), "moved", 1, ELSEWHERE)
    presences.announce(_user(5000), "here", 1, HOME)
    clock.advance(TTL)
    while presences.collect():
        pass
    presences.announce(_user(5001), "here", 1, HOME)


def test_the_shared_client_has_no_share() -> None:
    """limits.PRESENCES_PER_CLIENT counts for clients that can be told apart."""
    presences, _ = _presences()
    for each in range(limits.PRESENCES_PER_CLIENT + 1):
        presences.announce(_user(each), "here", 1, ClientKey.shared())
    assert len(presences) == limits.PRESENCES_PER_CLIENT + 1


def test_other_settings_hold_for_those_that_are_there() -> None:
    presences, clock = _presences()
    presences.announce(_user(1), "here", 1, HOME)
    clock.advance(100)
    presences.replace(PresenceSettings(ttl_seconds=60))
    assert presences.find(_user(1)) is None
    assert presences.reannounce_after == 20


@given(st.integers(1, 7 * 24 * 3600))
def test_one_comes_again_before_it_expires(ttl: int) -> None:
    presences = Presences(PresenceSettings(ttl_seconds=ttl), ManualClock())
    assert 1 <= presences.reannounce_after <= ttl


class _Playbook(RuleBasedStateMachine):
    """Announcements, rounds and time in any order, beside a dictionary that forgets nothing."""

    USERS = 6

    def __init__(self) -> None:
        super().__init__()
        self.presences, self.clock = _presences()
        self.truth: dict[int, tuple[str, float, int | None]] = {}

    def _held(self, number: int) -> tuple[str, float, int | None] | None:
        held = self.truth.get(number)
        return held if held is not None and self.clock.boot() - held[1] < TTL else None

    @rule(
        number=st.integers(0, USERS), addr=st.sampled_from("abc"), client=st.sampled_from([HOME, ELSEWHERE])
    )
    def announce(self, number: int, addr: str, client: ClientKey) -> None:
        if not self.presences.renew(_user(number), addr, 1, client):
            self.presences.announce(_user(number), addr, 1, client)
        held = self._held(number)
        if held is None or held[2] is None:
            self.truth[number] = (addr, self.clock.boot(), None)

    @rule(
        number=st.integers(0, USERS),
        addr=st.sampled_from("abc"),
        age=st.sampled_from([-90, -1, 0, 1, 299, 300]),
    )
    def announce_signed(self, number: int, addr: str, age: int) -> None:
        made = _now_ms(self.clock) - age * 1000
        held = self._held(number)
        last = None if held is None else held[2]
        repeated = held is not None and last == made and held[0] == addr
        good = -60 <= age < TTL and (last is None or made > last)
        try:
            self.presences.announce(_user(number), addr, made, HOME, signed=True)
        except InputRefused:
            assert not good
            assert not repeated
        else:
            assert good or repeated
            if good:
                self.truth[number] = (addr, self.clock.boot(), made)

    @rule(number=st.integers(0, USERS))
    def drop(self, number: int) -> None:
        self.presences.drop(_user(number))
        self.truth.pop(number, None)

    @rule(seconds=st.sampled_from([1, 30, 299, 300]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def collect(self) -> None:
        assert not self.presences.collect()
        assert len(self.presences) == sum(self._held(number) is not None for number in self.truth)

    @invariant()
    def everyone_is_where_they_were_announced(self) -> None:
        for number in range(self.USERS + 1):
            held, found = self._held(number), self.presences.find(_user(number))
            assert (found is None) == (held is None)
            if found is not None and held is not None:
                assert (found.addr, found.signed) == (held[0], held[2] is not None)


TestPlaybook = _Playbook.TestCase
TestPlaybook.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
