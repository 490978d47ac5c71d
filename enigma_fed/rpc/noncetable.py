"""The replay table: nonces that were used, bounded, never evicted before their time (invariants 1 and 7)."""

from __future__ import annotations

import heapq

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import Busy, Replayed

STRANGERS = b""
"""One owner for all keys that are no members: joins share one bucket, so that made-up keys fill only that."""


class NonceTable:
    """Used nonces by key, until their time is over; times are seconds on the boot clock.

    A full table refuses new requests instead of forgetting a nonce, since a forgotten nonce
    could be played again.
    """

    def __init__(self, per_owner: int = limits.NONCES_PER_KEY, in_all: int = limits.NONCES_IN_ALL) -> None:
        self._per_owner = per_owner
        self._in_all = in_all
        self._seen: set[tuple[bytes, str]] = set()
        self._ends: list[tuple[float, bytes, tuple[bytes, str]]] = []
        self._counts: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def use(self, key: bytes, nonce: str, *, owner: bytes, until: float, now: float) -> None:
        """Remember a nonce of a public key until `until`; raises Replayed, Busy.

        `owner` is whose share it counts against: the key itself, or STRANGERS.
        """
        self._forget(now)
        entry = (key, nonce)
        if entry in self._seen:
            raise Replayed("its nonce was used before")
        count = self._counts.get(owner, 0)
        if count >= self._per_owner or len(self._seen) >= self._in_all:
            raise Busy("too many requests in two minutes")
        self._seen.add(entry)
        self._counts[owner] = count + 1
        heapq.heappush(self._ends, (until, owner, entry))

    def _forget(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, owner, entry = heapq.heappop(self._ends)
            self._seen.discard(entry)
            left = self._counts[owner] - 1
            if left:
                self._counts[owner] = left
            else:
                del self._counts[owner]
