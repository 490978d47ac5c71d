"""How often one client may ask (docs/REGISTRY.md section 8). Pure but for the clock it is given.

Each client has a bucket for all its requests and one for each kind of them. A request takes from both or,
when either is empty, from none: it is refused and told when to come back. Only who goes on all the same
is turned away for a while. A client whose buckets are full again is no different from one never seen, so
its account is forgotten; there are never more than limits.CLIENTS. While all of them are needed, whoever is
new has no account: newcomers share one bucket, and nobody who was there before loses anything by it.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from enigma_fed.base import registry_limits as limits
from enigma_fed.registry.clientaddress import ClientKey

if TYPE_CHECKING:
    from enigma_fed.base.clock import Clock
    from enigma_fed.registry.settings import RateLimitSettings


class Bucket(StrEnum):
    """Kinds of requests; all but `other` have a rate of their own in `[rate_limit.endpoints]`."""

    REGISTER = "register"
    RESOLVE = "resolve"
    CHECK_USER = "check_user"
    ANNOUNCE = "announce"
    SYNC = "sync"
    NODES = "nodes"
    KEYS = "keys"
    CHALLENGE = "challenge"
    OWNER = "owner"
    PRESENCE = "presence"
    OTHER = "other"
    """What has no route, and what costs nothing: it counts among all requests only."""


class Refusal(NamedTuple):
    """A request that is not served."""

    retry_after: int
    """Whole seconds after which it would be, at least 1."""
    banned: bool = False
    """Whether the client is turned away whatever it asks."""


class _Rate(NamedTuple):
    """One kind of bucket: requests are due `pause` apart, and may come `slack` seconds before they are."""

    pause: float
    slack: float


class _Account:
    """One client's buckets. A bucket is one time: when it will be full again; past times are all the same."""

    __slots__ = ("all", "banned_until", "busy_until", "of_kind", "refusals")

    def __init__(self) -> None:
        self.all = 0.0
        self.of_kind: list[float] = [0.0] * len(Bucket)
        self.refusals = 0.0
        self.banned_until = 0.0
        self.busy_until = 0.0
        """When nothing of it matters any more."""


_PLACES: Final = {bucket: place for place, bucket in enumerate(Bucket)}
_SHARED: Final = ClientKey.shared()
_REFUSAL_PAUSE: Final = limits.REFUSALS_MEMORY / limits.REFUSALS_BEFORE_BAN
_NEWCOMERS: Final = _Rate(1 / limits.NEWCOMERS_RATE, (limits.NEWCOMERS_BURST - 1) / limits.NEWCOMERS_RATE)
_ROUNDING: Final = 1e-6
_LOOKS_WITH_ROOM: Final = 2
"""More than one newcomer brings: so accounts that nobody needs go before their number counts."""


class Limiter:
    """Accounts of the clients seen last; times are seconds on the boot clock."""

    def __init__(self, settings: RateLimitSettings, clock: Clock) -> None:
        self._clock = clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._shared = _Account()
        self._shared_challenges = _Account()
        self._newcomers = 0.0
        self.counts: Counter[str] = Counter()
        """`refused`, `banned` (bans begun), `turned-away` (while banned), `no-room` (refused newcomers)."""
        self.replace(settings)

    def __len__(self) -> int:
        """How many clients have an account."""
        return len(self._accounts)

    def replace(self, settings: RateLimitSettings) -> None:
        """Go by other settings from now on; what clients used up stays used."""
        self._enabled = settings.enabled
        self._ban = settings.ban_seconds
        self._all = _rate(settings.per_ip_rps, settings.burst)
        self._of_kind = _rates(settings, 1)
        self._shared_all = _rate(settings.per_ip_rps, settings.burst, limits.SHARED_CLIENTS)
        self._shared_of_kind = _rates(settings, limits.SHARED_CLIENTS)

    def admit(self, client: ClientKey, bucket: Bucket, now: float | None = None) -> Refusal | None:
        """Charge a request to its client; None: serve it."""
        if not self._enabled:
            return None
        if now is None:
            now = self._clock.boot()
        account = self._accounts.get(client)
        if account is None:
            if client == _SHARED:
                return self._admit_shared(bucket, now)
            if not self._make_room(now):
                return self._admit_newcomer(now)
            account = self._accounts[client] = _Account()
        if account.banned_until > now:
            self.counts["turned-away"] += 1
            return Refusal(math.ceil(account.banned_until - now), banned=True)
        place = _PLACES[bucket]
        wait = _charge(account, place, self._all, self._of_kind[place], now)
        return None if wait is None else self._refuse(account, wait, now)

    def _refuse(self, account: _Account, wait: float, now: float) -> Refusal:
        self.counts["refused"] += 1
        account.refusals = max(account.refusals, now) + _REFUSAL_PAUSE
        account.busy_until = max(account.busy_until, account.refusals)
        if self._ban and account.refusals - now > limits.REFUSALS_MEMORY + _REFUSAL_PAUSE / 2:
            self.counts["banned"] += 1
            account.banned_until = now + self._ban
            account.busy_until = max(account.busy_until, account.banned_until)
            return Refusal(self._ban, banned=True)
        return Refusal(math.ceil(wait))

    def _admit_shared(self, bucket: Bucket, now: float) -> Refusal | None:
        """All who are told apart by nothing are never banned, and a challenge is due to each of them."""
        place = _PLACES[bucket]
        kind = self._shared_of_kind[place]
        if bucket is Bucket.CHALLENGE:
            wait = _charge(self._shared_challenges, place, kind, kind, now)
        else:
            wait = _charge(self._shared, place, self._shared_all, kind, now)
        if wait is None:
            return None
        self.counts["refused"] += 1
        return Refusal(math.ceil(wait))

    def _admit_newcomer(self, now: float) -> Refusal | None:
        wait = self._newcomers - now - _NEWCOMERS.slack
        if wait > _ROUNDING:
            self.counts["no-room"] += 1
            return Refusal(math.ceil(wait))
        self._newcomers = max(self._newcomers, now) + _NEWCOMERS.pause
        return None

    def _make_room(self, now: float) -> bool:
        """Forget accounts that say nothing any more, the oldest first; False if there is no room then."""
        accounts = self._accounts
        full = len(accounts) >= limits.CLIENTS
        for _ in range(min(len(accounts), limits.CLIENT_LOOKS if full else _LOOKS_WITH_ROOM)):
            oldest = next(iter(accounts))
            if accounts[oldest].busy_until <= now:
                del accounts[oldest]
            else:
                accounts.move_to_end(oldest)
        return len(accounts) < limits.CLIENTS


def _charge(account: _Account, place: int, whole: _Rate, kind: _Rate, now: float) -> float | None:
    """Take one from both buckets; the seconds to wait, and nothing taken, if one of them is empty."""
    ready = max(account.all, now)
    own = max(account.of_kind[place], now)
    wait = max(ready - whole.slack, own - kind.slack) - now
    if wait > _ROUNDING:
        return wait
    account.all = ready = ready + whole.pause
    account.of_kind[place] = own = own + kind.pause
    account.busy_until = max(account.busy_until, ready, own)
    return None


def _rate(per_second: float, burst: int, factor: int = 1) -> _Rate:
    pause = 1 / (per_second * factor)
    return _Rate(pause, (burst * factor - 1) * pause)


def _rates(settings: RateLimitSettings, factor: int) -> list[_Rate]:
    return [
        _rate(getattr(settings.endpoints, f"{bucket}_rps", settings.per_ip_rps), settings.burst, factor)
        for bucket in Bucket
    ]
