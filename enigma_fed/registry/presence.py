"""Who was announced last, and where (docs/REGISTRY.md section 7). Pure but for the clock it is given.

In memory only: a registry that starts anew hears from everyone within a minute or two. An announcement holds
from its arrival, whatever time it bears. One that the user signed is not replaced by one that anybody could
have written, as long as it holds.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, NamedTuple

from enigma_fed.base import registry_limits as limits
from enigma_fed.base.registry_errors import InputRefused, RateLimited, Unavailable
from enigma_fed.registry.clientaddress import ClientKey
from enigma_fed.wire.userid import UserId

if TYPE_CHECKING:
    from enigma_fed.base.clock import Clock
    from enigma_fed.registry.settings import PresenceSettings


class PresenceRecord(NamedTuple):
    """Where a user was announced; times are milliseconds since the epoch by our clock."""

    addr: str
    """Free text, trimmed."""
    ts_ms: int
    """When it was made as it says itself, but never after it came."""
    received_ms: int
    expires_ms: int
    signed: bool
    """Whether the user's registered key signed it."""


class _Entry:
    __slots__ = ("addr", "client", "received", "signed_ms", "ts_ms")

    def __init__(self, client: ClientKey) -> None:
        self.client = client
        self.addr = ""
        self.ts_ms = 0
        self.received = 0.0
        """Boot clock, seconds."""
        self.signed_ms: int | None = None
        """The time that its signature covers; None: not signed."""


_SHARED: Final = ClientKey.shared()
_LOOKS_FOR_A_NEW_ONE: Final = 2
_MILLISECONDS: Final = 1000


class Presences:
    """The announcements that hold, at most limits.PRESENCES and few of one client."""

    def __init__(self, settings: PresenceSettings, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._queue: deque[bytes] = deque()
        """Every user of `_entries` once, in the order in which they are looked at."""
        self._left_of_round = 0
        self._of_client: Counter[str] = Counter()
        self.replace(settings)

    def __len__(self) -> int:
        """How many are kept; some of them may have expired."""
        return len(self._entries)

    def replace(self, settings: PresenceSettings) -> None:
        """Go by other settings from now on, for those that are there too."""
        self._ttl = settings.ttl_seconds
        self.reannounce_after = max(1, self._ttl // 3)
        """Seconds after which an announcement should be repeated: two may get lost."""

    def renew(self, user: UserId, addr: str, ts_ms: int, client: ClientKey) -> bool:
        """The usual heartbeat: as `announce`, where a presence of that user by that client holds.

        False: nothing was done, and the user may be unknown to the registry.
        """
        entry, now = self._entries.get(user.value), self._clock.boot()
        if entry is None or entry.client != client or entry.received + self._ttl <= now:
            return False
        if entry.signed_ms is None:
            self._write(entry, addr, ts_ms, now, int(self._clock.wall() * _MILLISECONDS))
        return True

    def announce(
        self, user: UserId, addr: str, ts_ms: int, client: ClientKey, *, signed: bool = False
    ) -> None:
        """Keep that `user` is at `addr` (trimmed here), by a message that bears the time `ts_ms`.

        Last one wins, but for an unsigned one while a signed one holds: it changes nothing. Raises
        InputRefused for a signed one that is older than the time to live, dated ahead of us or not newer than
        the last, RateLimited where one client announces too many users, Unavailable when there is no room.
        """
        now, wall_ms = self._clock.boot(), int(self._clock.wall() * _MILLISECONDS)
        entry = self._entries.get(user.value)
        if entry is not None and entry.received + self._ttl <= now:
            entry.signed_ms = None
        if signed:
            if self._is_repeated(entry, addr.strip(), ts_ms):
                return
            self._check_time(entry, ts_ms, wall_ms)
        elif entry is not None and entry.signed_ms is not None:
            return
        if entry is None:
            entry = self._enter(user.value, client, now)
        elif entry.client != client:
            self._move(entry, client, now)
        self._write(entry, addr, ts_ms, now, wall_ms)
        entry.signed_ms = ts_ms if signed else None

    def _write(self, entry: _Entry, addr: str, ts_ms: int, now: float, wall_ms: int) -> None:
        entry.addr = addr.strip()
        entry.ts_ms = ts_ms if ts_ms < wall_ms else wall_ms
        entry.received = now

    def find(self, user: UserId) -> PresenceRecord | None:
        """The user's presence, if one holds."""
        entry = self._entries.get(user.value)
        age = 0.0 if entry is None else self._clock.boot() - entry.received
        if entry is None or age >= self._ttl:
            return None
        received_ms = int((self._clock.wall() - age) * _MILLISECONDS)
        expires_ms = received_ms + self._ttl * _MILLISECONDS
        return PresenceRecord(entry.addr, entry.ts_ms, received_ms, expires_ms, entry.signed_ms is not None)

    def check_room(self, client: ClientKey) -> None:
        """Raise what `announce` does where this client's share or the table is full.

        Asked for an unknown user, too: else a full share would tell who is registered.
        """
        self._check_share(client)
        if len(self._entries) >= limits.PRESENCES:
            raise Unavailable(self.reannounce_after)

    def drop(self, user: UserId) -> None:
        """Forget the user's presence: the identity was revoked or its key changed."""
        entry = self._entries.get(user.value)
        if entry is not None:
            entry.received = -math.inf
            entry.signed_ms = None

    def collect(self) -> bool:
        """One step of a round that forgets what has expired; whether the round goes on."""
        if not self._left_of_round:
            self._left_of_round = len(self._queue)
        steps = min(self._left_of_round, limits.PRESENCES_A_STEP)
        self._left_of_round -= steps
        self._forget_expired(self._clock.boot(), steps)
        return self._left_of_round > 0

    def _is_repeated(self, entry: _Entry | None, addr: str, ts_ms: int) -> bool:
        return entry is not None and entry.signed_ms == ts_ms and entry.addr == addr

    def _check_time(self, entry: _Entry | None, ts_ms: int, wall_ms: int) -> None:
        """A captured announcement must not bring back an address that was left."""
        too_old = ts_ms <= wall_ms - self._ttl * _MILLISECONDS
        ahead = ts_ms > wall_ms + limits.PRESENCE_AHEAD * _MILLISECONDS
        last = None if entry is None else entry.signed_ms
        if too_old or ahead or (last is not None and ts_ms <= last):
            raise InputRefused("ts_ms")

    def _enter(self, user: bytes, client: ClientKey, now: float) -> _Entry:
        self._forget_expired(now, min(len(self._queue), _LOOKS_FOR_A_NEW_ONE))
        self.check_room(client)
        entry = self._entries[user] = _Entry(client)
        self._queue.append(user)
        self._of_client[client] += 1
        return entry

    def _move(self, entry: _Entry, client: ClientKey, now: float) -> None:
        """The user comes from elsewhere now."""
        self._check_share(client)
        self._leave(entry)
        self._of_client[client] += 1
        entry.client = client

    def _check_share(self, client: ClientKey) -> None:
        if self._of_client[client] >= limits.PRESENCES_PER_CLIENT and client != _SHARED:
            raise RateLimited(self.reannounce_after)

    def _leave(self, entry: _Entry) -> None:
        self._of_client[entry.client] -= 1
        if not self._of_client[entry.client]:
            del self._of_client[entry.client]

    def _forget_expired(self, now: float, steps: int) -> None:
        """Look at so many of the queue; who is still present goes to its end."""
        for _ in range(steps):
            user = self._queue.popleft()
            entry = self._entries[user]
            if entry.received + self._ttl > now:
                self._queue.append(user)
            else:
                del self._entries[user]
                self._leave(entry)
