"""The replay table: bounded per key and in all, nothing forgotten before its time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(
    st.lists(
        st.tuples(st.sampled_from([A, B]), st.sampled_from("xyz"), st.integers(0, 5), st.integers(1, 30)),
        max_size=60,
    )
)
def test_it_answers_like_a_plain_list(uses: list[tuple[bytes, str, int, int]]) -> None:
    """Against the obvious model: every use that is not over."""
    table, now = NonceTable(per_key=3, in_all=5), 0.0
    kept: list[tuple[bytes, str, float]] = []
    for key, nonce, wait, life in uses:
        now += wait
        kept = [entry for entry in kept if entry[2] > now]
        replayed = any(entry[:2] == (key, nonce) for entry in kept)
        full = len(kept) >= 5 or sum(entry[0] == key for entry in kept) >= 3
        try:
            table.use(key, nonce, until=now + life, now=now)
        except Replayed:
            assert replayed
        except Busy:
            assert full
            assert not replayed
        else:
            assert not replayed
            assert not full
            kept.append((key, nonce, now + life))
        assert len(table) == len(kept)
