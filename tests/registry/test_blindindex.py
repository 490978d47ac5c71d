"""The index in memory against a dictionary."""

from __future__ import annotations

import random

from enigma_fed.registry.blindindex import BlindIndex


def test_it_finds_what_a_dictionary_would() -> None:
    chance = random.Random(1)
    index, known = BlindIndex(), dict[bytes, int]()
    for row in range(1, 20_001):
        blind = chance.randbytes(1) + bytes(2) + chance.randbytes(13)  # a few buckets, so full ones
        index.put(blind, row)
        known[blind] = row
    assert index.entries == len(known)
    assert all(index.find(blind) == row for blind, row in known.items())
    assert all(index.find(blind[:-1] + bytes([blind[-1] ^ 1])) is None for blind in known)
    assert index.find(b"\xff" + bytes(15)) is None


def test_a_row_can_be_replaced() -> None:
    index = BlindIndex()
    for row in (1, 2**32 - 1, 7):
        index.put(bytes(16), row)
        assert (index.find(bytes(16)), index.entries) == (row, 1)


def test_what_lies_across_two_entries_is_none() -> None:
    """Entries of one bucket, in which a third one's bytes stand, but not at the beginning of an entry."""
    index = BlindIndex()
    index.put(bytes(16), 0)
    index.put(bytes(15) + b"\x01", 5)
    index.put(bytes(16), 3)
    assert index.find(bytes(16)) == 3
    assert index.find(bytes(15) + b"\x01") == 5
    index.put(bytes(2) + b"\x05" * 14, 0x05050505)
    index.put(bytes(2) + b"\x06" * 14, 1)
    inside = bytes(2) + b"\x05" * 4 + b"\x06" * 10
    assert index.find(inside) is None
    index.put(inside, 9)
    assert index.find(inside) == 9
    assert index.entries == 5


def test_invariant_7_an_entry_takes_little_more_than_its_bytes() -> None:
    index, chance = BlindIndex(), random.Random(2)
    for row in range(1, 16_001):
        index.put(bytes([0, row % 256]) + chance.randbytes(14), row)
    buckets = [bucket for bucket in index._buckets if bucket is not None]
    assert len(buckets) == 256
    assert sum(bucket.__sizeof__() for bucket in buckets) < 16_000 * 22
