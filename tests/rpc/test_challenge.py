"""Stateless challenges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.rpc.challenge import Challenger
from enigma_fed.wire.httpsig import is_challenge

KEY, NONCE = b"k" * 32, "0123456789abcdef"
CHALLENGER = Challenger(b"s" * 32)


@pytest.mark.parametrize(("age", "holds"), [(0, True), (30, True), (30.01, False), (-1, False), (1e9, False)])
def test_it_lives_30_seconds(age: float, holds: bool) -> None:
    challenge = CHALLENGER.issue(KEY, NONCE, 1000.0)
    assert CHALLENGER.holds(challenge, KEY, NONCE, 1000.0 + age) == holds


def test_it_is_bound_to_key_nonce_and_start() -> None:
    challenge = CHALLENGER.issue(KEY, NONCE, 0)
    assert not CHALLENGER.holds(challenge, b"x" * 32, NONCE, 0)
    assert not CHALLENGER.holds(challenge, KEY, NONCE + "0", 0)
    assert not Challenger(b"t" * 32).holds(challenge, KEY, NONCE, 0)


def test_it_fits_its_header() -> None:
    assert is_challenge(CHALLENGER.issue(KEY, NONCE, 2.0**40))


@given(st.text(max_size=128) | st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True), st.floats(0, 1e9))
def test_no_other_text_holds(text: str, now: float) -> None:
    assert not CHALLENGER.holds(text, KEY, NONCE, now)
