"""The replay table: nonces that were used, bounded, never evicted before their time (invariants 1 and 7)."""

from __future__ import annotations

import heapq
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import Busy, Replayed

_STRANGERS: Final = b""
"""The share of all keys that are no members."""
_TOKEN: Final = b"token "


class NonceTable:
    """Used nonces by key, until their time is over; times are seconds on the boot clock.

    A full table refuses new requests instead of forgetting a nonce, since a forgotten nonce
    could be played again. A member's nonces count against its own share; those of joins, whose
    keys anyone can make up, against their token's share and one of all strangers.
    """

    def __init__(
        self,
        per_key: int = limits.NONCES_PER_KEY,
        per_token: int = limits.NONCES_PER_TOKEN,
        of_strangers: int = limits.NONCES_OF_STRANGERS,
        in_all: int = limits.NONCES_IN_ALL,
        at_once: int = limits.NONCES_FORGOTTEN,
    ) -> None:
        """`at_once` is how many are forgotten by one use; those that are left over count until then."""
        self._per_key = per_key
        self._per_token = per_token
        self._of_strangers = of_strangers
        self._in_all = in_all
        self._at_once = at_once
        self._seen: set[tuple[bytes, str]] = set()
        self._ends: list[tuple[float, tuple[bytes, ...], tuple[bytes, str]]] = []
        self._counts: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def use(
        self, key: bytes, nonce: str, *, until: float, now: float, token_hash: bytes | None = None
    ) -> None:
        """Remember a nonce of a public key until `until`; raises Replayed, Busy.

        `token_hash` is of the token by which a key that is no member's comes in.
        """
        self._forget(now)
        entry = (key, nonce)
        if entry in self._seen:
            raise Replayed("its nonce was used before")
        counts, (owners, bounds), full = self._counts, self._shares(key, token_hash), False
        for owner, bound in zip(owners, bounds, strict=True):
            full = full or counts.get(owner, 0) >= bound
        if full or len(self._seen) >= self._in_all:
            raise Busy("too many requests in two minutes")
        self._seen.add(entry)
        for owner in owners:
            counts[owner] = counts.get(owner, 0) + 1
        heapq.heappush(self._ends, (until, owners, entry))

    def _shares(self, key: bytes, token_hash: bytes | None) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
        """Whose shares a nonce counts against, by names of different lengths, and their bounds."""
        if token_hash is None:
            return (key,), (self._per_key,)
        return (_TOKEN + token_hash, _STRANGERS), (self._per_token, self._of_strangers)

    def _forget(self, now: float) -> None:
        for _ in range(self._at_once):
            if not self._ends or self._ends[0][0] > now:
                return
            _, owners, entry = heapq.heappop(self._ends)
            self._seen.discard(entry)
            for owner in owners:
                self._release(owner)

    def _release(self, owner: bytes) -> None:
        left = self._counts[owner] - 1
        if left:
            self._counts[owner] = left
        else:
            del self._counts[owner]
