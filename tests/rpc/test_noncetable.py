"""The replay table: bounded per key and in all, nothing forgotten before its time."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import Busy, Replayed
from enigma_fed.rpc.noncetable import NonceTable

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32


def test_a_nonce_passes_once() -> None:
    table = NonceTable()
    table.use(A, "n", until=10, now=0)
    with pytest.raises(Replayed):
        table.use(A, "n", until=20, now=9.9)


def test_another_keys_nonce_is_another_nonce() -> None:
    table = NonceTable()
    table.use(A, "n", until=10, now=0)
    table.use(B, "n", until=10, now=0)


def test_it_passes_again_after_its_time() -> None:
    table = NonceTable()
    table.use(A, "n", until=10, now=0)
    table.use(A, "n", until=20, now=10)
    assert len(table) == 1


def test_a_full_share_refuses_and_forgets_nothing() -> None:
    table = NonceTable(per_key=2)
    table.use(A, "1", until=10, now=0)
    table.use(A, "2", until=20, now=0)
    with pytest.raises(Busy):
        table.use(A, "3", until=10, now=0)
    with pytest.raises(Replayed):
        table.use(A, "1", until=10, now=0)
    table.use(B, "3", until=10, now=0)
    table.use(A, "3", until=30, now=11)


def test_a_full_table_refuses_everyone() -> None:
    table = NonceTable(in_all=2)
    table.use(A, "1", until=10, now=0)
    table.use(B, "1", until=10, now=0)
    with pytest.raises(Busy):
        table.use(B, "2", until=10, now=0)
    assert len(table) == 2


def test_a_token_has_a_share_of_its_own_whatever_keys_come_with_it() -> None:
    table = NonceTable(per_token=2)
    table.use(A, "1", token_hash=b"t", until=10, now=0)
    table.use(B, "1", token_hash=b"t", until=10, now=0)
    with pytest.raises(Busy):
        table.use(C, "1", token_hash=b"t", until=10, now=0)
    with pytest.raises(Replayed):
        table.use(A, "1", token_hash=b"t", until=10, now=0)
    table.use(C, "1", token_hash=b"u", until=10, now=0)
    table.use(C, "2", token_hash=b"t", until=20, now=10)


def test_many_tokens_leave_the_members_their_part_of_the_table() -> None:
    table = NonceTable(of_strangers=2, in_all=3)
    table.use(A, "1", token_hash=b"t", until=10, now=0)
    table.use(A, "2", token_hash=b"u", until=10, now=0)
    with pytest.raises(Busy):
        table.use(A, "3", token_hash=b"v", until=10, now=0)
    table.use(B, "1", until=10, now=0)


class Plain:
    """The obvious model: a list of every use that is not over."""

    def __init__(self) -> None:
        self.kept: list[tuple[bytes, str, bytes | None, float]] = []

    def outcome(self, key: bytes, nonce: str, token: bytes | None, until: float, now: float) -> str:
        """What a table of 3 a key, 2 a token, 4 of all tokens and 6 in all says."""
        self.kept = [entry for entry in self.kept if entry[3] > now]
        if any(entry[:2] == (key, nonce) for entry in self.kept):
            return "replayed"
        if token is None:
            full = sum(entry[0] == key and entry[2] is None for entry in self.kept) >= 3
        else:
            full = sum(entry[2] == token for entry in self.kept) >= 2
            full = full or sum(entry[2] is not None for entry in self.kept) >= 4
        if full or len(self.kept) >= 6:
            return "busy"
        self.kept.append((key, nonce, token, until))
        return "ok"


_USES = st.tuples(
    st.sampled_from([A, B, C]),
    st.sampled_from("xyz"),
    st.sampled_from([None, None, b"t", b"u", b"v"]),
    st.integers(0, 12),
    st.integers(1, 60),
)


@given(st.lists(_USES, max_size=80))
def test_invariant_7_it_answers_like_a_plain_list(
    uses: list[tuple[bytes, str, bytes | None, int, int]],
) -> None:
    """Whatever keys, tokens and lifetimes come, in whatever order they end; nothing is forgotten early."""
    table, model, now = NonceTable(per_key=3, per_token=2, of_strangers=4, in_all=6), Plain(), 0.0
    for key, nonce, token, wait, life in uses:
        now += wait
        expected = model.outcome(key, nonce, token, now + life, now)
        try:
            table.use(key, nonce, until=now + life, now=now, token_hash=token)
            found = "ok"
        except (Replayed, Busy) as error:
            found = error.code
        assert found == expected
        assert len(table) == len(model.kept)
    assert sum(table._counts.get(key, 0) for key in (A, B, C)) == sum(e[2] is None for e in model.kept)


def test_when_all_is_over_nothing_is_left() -> None:
    table = NonceTable()
    for number in range(100):
        table.use(
            bytes([number]) * 32, "n", until=10 + number, now=0, token_hash=b"t" if number % 9 == 0 else None
        )
    with pytest.raises(Replayed):
        table.use(bytes([99]) * 32, "n", until=10, now=50)
    table.use(A, "n", until=501, now=500)
    assert (len(table), len(table._ends), len(table._counts)) == (1, 1, 1)


def test_invariant_7_no_use_forgets_more_than_so_many_at_once() -> None:
    """Those that are over and still there count until their turn comes: a refusal more, never one less."""
    table = NonceTable()
    ended = 2 * limits.NONCES_FORGOTTEN + 1
    for number in range(ended):
        table.use(number.to_bytes(32), "n", until=10, now=0)
    for left in (ended - limits.NONCES_FORGOTTEN, ended - 2 * limits.NONCES_FORGOTTEN, 0):
        table.use(A, f"{left}", until=30, now=20)
        assert sum(entry[1] == "n" for entry in table._seen) == left


def test_invariant_7_the_fullest_table_takes_the_memory_that_its_limit_says() -> None:
    """Measured on a part: 550 bytes a nonce, of the longest nonces, and keys that are all different."""
    part = limits.NONCES_IN_ALL // 16
    tracemalloc.start()
    try:
        table = NonceTable()
        for number in range(part):
            nonce = f"{number:0{limits.NONCE_CHARACTERS_MAX}d}"
            token = (number // limits.NONCES_PER_TOKEN).to_bytes(32)
            table.use(number.to_bytes(32), nonce, until=121, now=0, token_hash=token)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(table) == part
    assert used <= 550 * part
