"""What is remembered of a request that was let in, and what is asked of the next (PROTOCOL 1.3 and 1.4)."""

from __future__ import annotations

import pytest

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import BadChallenge, Replayed, Stale
from enigma_fed.rpc.challenge import Challenger
from enigma_fed.rpc.freshness import Freshness
from enigma_fed.rpc.noncetable import NonceTable
from enigma_fed.wire.httpsig import SignedRequest

NOW, BOOT = 1_000_000.0, 500.0
KEY = b"k" * 32


class Watch:
    """A `Freshness` that challenges all while `doubts`, and what it told the clock."""

    def __init__(self) -> None:
        self.doubts = False
        self.told: list[float] = []
        self.freshness = Freshness(
            Challenger(bytes(32)), lambda boot: self.doubts, NonceTable(), self.told.append
        )

    def plays(
        self, created: float, nonce: str, challenge: str | None = None, token: bytes | None = None
    ) -> None:
        signed = SignedRequest("", int(created), int(created) + 60, nonce, "", challenge, "", b"", "", b"")
        self.freshness.check(signed, KEY, NOW, BOOT)
        self.freshness.use(signed, KEY, NOW, BOOT, token)

    def challenged(self, created: float, nonce: str) -> str:
        with pytest.raises(Stale) as caught:
            self.plays(created, nonce)
        return caught.value.challenge


def test_a_fresh_request_passes_once_and_tells_the_clock_nothing_here() -> None:
    watch = Watch()
    watch.plays(NOW, "nonce")
    with pytest.raises(Replayed):
        watch.plays(NOW, "nonce")
    assert watch.told == []


@pytest.mark.parametrize("off", [-86400, -61, 61, 86400])
def test_invariant_1_what_passes_by_a_challenge_tells_the_clock_up_to_when_it_was_signed(off: int) -> None:
    """Not later, or a caller whose clock is ahead would have everyone challenged."""
    watch = Watch()
    watch.plays(NOW + off, "nonce", watch.challenged(NOW + off, "nonce"))
    assert watch.told == [min(NOW, NOW + off)]


def test_a_challenge_that_does_not_hold_is_refused() -> None:
    with pytest.raises(BadChallenge):
        Watch().plays(NOW, "nonce", "A" * 43)


def test_in_doubt_what_is_fresh_is_challenged_too() -> None:
    watch = Watch()
    watch.doubts = True
    watch.plays(NOW, "nonce", watch.challenged(NOW, "nonce"))


@pytest.mark.parametrize(("ahead", "asked"), [(limits.FRESHNESS_WINDOW, False), (3600, True)])
def test_who_ran_ahead_is_challenged_up_to_that_time(ahead: int, asked: bool) -> None:
    watch = Watch()
    watch.doubts = True
    watch.plays(NOW + ahead, "nonce", watch.challenged(NOW + ahead, "nonce"))
    watch.doubts = False
    if asked:
        watch.challenged(NOW, "another")
    else:
        watch.plays(NOW, "another")


def test_invariant_7_nothing_is_kept_of_a_joiner_that_runs_ahead_but_its_nonce() -> None:
    """Its key can be made up."""
    watch = Watch()
    watch.plays(NOW + 3600, "nonce", watch.challenged(NOW + 3600, "nonce"), token=b"t" * 32)
    watch.plays(NOW, "another")
