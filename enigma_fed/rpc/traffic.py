"""How many bytes went over the wire with each peer in the last day; a start of the agent begins at zero.

Counted is what stands on our connections: HTTP heads and bodies, and frames of streams, of our calls and
of theirs. A connection of theirs counts from its first byte once the peer has proved itself on it. What
carries the connections (Tor's cells, the SOCKS handshake, TCP) is not counted.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from enigma_fed.base import limits

_HOUR: Final = 3600.0
_HOURS: Final = 24


class DayBytes(NamedTuple):
    """What one peer cost in the running hour and the 23 before it."""

    received: int
    sent: int


class Account:
    """The bytes of one peer, in a ring of 24 hours; times are seconds on the boot clock."""

    __slots__ = ("_all", "_hour", "_now", "_received", "_sent")

    def __init__(self, now: Callable[[], float], counted: Counter[str] | None = None) -> None:
        """`counted` gets the bytes, too, as `received` and `sent`."""
        self._now = now
        self._all: Counter[str] = Counter() if counted is None else counted
        self._hour = int(now() // _HOUR)
        self._received = array("Q", bytes(8 * _HOURS))
        self._sent = array("Q", bytes(8 * _HOURS))

    def add(self, received: int, sent: int) -> None:
        """Count so many bytes more."""
        hour = int(self._now() // _HOUR)
        if hour != self._hour:
            self._turn(hour)
        place = hour % _HOURS
        if received:
            self._received[place] += received
            self._all["received"] += received
        if sent:
            self._sent[place] += sent
            self._all["sent"] += sent

    def day(self) -> DayBytes:
        """What is counted of the last day."""
        self._turn(int(self._now() // _HOUR))
        return DayBytes(sum(self._received), sum(self._sent))

    def _turn(self, hour: int) -> None:
        """Empty the places of the hours that have begun since."""
        for begun in range(max(self._hour + 1, hour + 1 - _HOURS), hour + 1):
            self._received[begun % _HOURS] = self._sent[begun % _HOURS] = 0
        self._hour = hour


class Traffic:
    """An account for each peer, by its public key (32 bytes); of limits.PEERS at most."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` tells seconds on the boot clock."""
        self._now = now
        self._accounts: dict[bytes, Account] = {}
        self.statistics: Counter[str] = Counter()
        """Bytes with all peers since the start: `received` and `sent`; a peer's removal takes none away."""

    def account(self, public_key: bytes) -> Account | None:
        """The account of a peer, a new one where there is none; None when there are too many."""
        account = self._accounts.get(public_key)
        if account is None and len(self._accounts) < limits.PEERS:
            account = self._accounts[public_key] = Account(self._now, self.statistics)
        return account

    def day(self, public_key: bytes) -> DayBytes:
        """What a peer cost in the last day."""
        account = self._accounts.get(public_key)
        return DayBytes(0, 0) if account is None else account.day()

    def forget(self, public_key: bytes) -> None:
        """Drop the account of a peer that was removed."""
        self._accounts.pop(public_key, None)
