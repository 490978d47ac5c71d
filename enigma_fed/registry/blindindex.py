"""Which row each handle has, by its blind index: in memory, 18 bytes each and little beside them.

A tree of random keys on the disk would write a page for each registration and read two for each look-up. Rows
lie in the order of their arrival instead, and this is made from them at each start.
"""

from __future__ import annotations

from typing import Final

from enigma_fed.registry.atrest import BLIND_BYTES

_BUCKETS: Final = 1 << 16
_REST: Final = BLIND_BYTES - 2
_ROW: Final = 4
_ENTRY: Final = _REST + _ROW


class BlindIndex:
    """Rows from 1 to 2^32 - 1. One thread puts, another one may find meanwhile."""

    def __init__(self) -> None:
        self._buckets: list[bytearray | None] = [None] * _BUCKETS
        self.entries = 0
        """How many there are."""

    def find(self, blind: bytes) -> int | None:
        """The row of a blind index (16 bytes), None for none."""
        bucket = self._buckets[int.from_bytes(blind[:2], "big")]
        if bucket is None:
            return None
        place = _place(bucket, blind[2:])
        return None if place < 0 else int.from_bytes(bucket[place + _REST : place + _ENTRY], "big")

    def put(self, blind: bytes, row: int) -> None:
        """Note its row, in place of another one if it has one."""
        number, rest, written = int.from_bytes(blind[:2], "big"), blind[2:], row.to_bytes(_ROW, "big")
        bucket = self._buckets[number]
        if bucket is None:
            self._buckets[number] = bytearray(rest + written)
            self.entries += 1
        elif (place := _place(bucket, rest)) >= 0:
            bucket[place + _REST : place + _ENTRY] = written
        else:
            bucket.extend(rest + written)
            self.entries += 1


def _place(bucket: bytearray, rest: bytes) -> int:
    """Where the entry begins; -1 for nowhere."""
    place = bucket.find(rest)
    while place % _ENTRY and place >= 0:  # across two entries
        place = bucket.find(rest, place + 1)
    return place
