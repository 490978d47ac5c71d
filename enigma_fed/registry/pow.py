"""Proof of work before a request is served (docs/REGISTRY.md section 5). Pure: clock and chance are given.

A challenge says itself until when it holds, what it costs and for which route, under a MAC of this start:
nothing is kept of those that nobody solved. Of a solved one is kept which request it opened: that request may
come again, as its answer may have got lost, and nothing else is opened by it. A wrong one uses nothing up.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from enigma_fed.base import registry_limits as limits
from enigma_fed.base.registry_errors import PowRequired, Unavailable
from enigma_fed.wire import powchallenge

if TYPE_CHECKING:
    from enigma_fed.base.clock import Clock
    from enigma_fed.registry.settings import PowSettings


class Challenge(NamedTuple):
    """What a client has to solve."""

    text: str
    """32 lower-case hexadecimal digits."""
    difficulty: int
    """Leading zero bits of the solution's hash."""
    expires_ms: int
    """When it expires, in milliseconds since the epoch by our clock."""


_SALT_BYTES: Final = 4
_PERSON: Final = b"fed pow request"
_REQUEST_BYTES: Final = 16
_MILLISECONDS: Final = 1000


class ProofOfWork:
    """Issues challenges and takes solved ones, each for one request.

    `secret` is 32 random bytes of this start, which make every challenge of before void.
    """

    def __init__(
        self, settings: PowSettings, secret: bytes, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._random = random
        self._epoch = math.floor(clock.boot())
        self._used: OrderedDict[str, tuple[float, bytes, int]] = OrderedDict()
        """By challenge, in the order of their use: its end, the request it opened, how often it came."""
        self._solved = 0.0
        """Solved requests of late: each counts less with time, 1/e after limits.POW_RATE_WINDOW."""
        self._solved_at = 0.0
        self.replace(settings)

    def __len__(self) -> int:
        """How many solved challenges are remembered."""
        return len(self._used)

    def replace(self, settings: PowSettings) -> None:
        """Go by other settings for challenges from now on."""
        self._settings = settings

    @property
    def difficulty(self) -> int:
        """What a challenge costs now: more bits the more requests are solved, up to limits.POW_RISE."""
        rate = self._solved_now() / limits.POW_RATE_WINDOW
        rise = math.floor(math.log2(rate / limits.POW_EASY_RATE)) + 1 if rate >= limits.POW_EASY_RATE else 0
        return min(self._settings.difficulty + min(rise, limits.POW_RISE), limits.POW_DIFFICULTY_MAX)

    def challenge(self, route: str | None) -> Challenge:
        """A new challenge, for one request to that route (`/resolve`), or to any if None."""
        expires = math.floor(self._now()) + self._settings.ttl_seconds
        difficulty = self.difficulty
        text = powchallenge.make(self._secret, self._random(_SALT_BYTES), expires, difficulty, route)
        left = expires - self._now()
        return Challenge(text, difficulty, math.floor(self._clock.wall() + left) * _MILLISECONDS)

    def check(self, header: str | None, route: str, digest: bytes) -> None:
        """Take the solution in `x-enigma-pow` for one request to `route`, which `digest` names.

        Raises PowRequired where it opens nothing, Unavailable while too many are remembered.
        """
        text, solution, expires = self.solved(header, route)
        request = _request(route, digest, solution)
        used = self._used.get(text)
        if used is None:
            self._use(text, expires, request, self._now())
            return
        self._used[text] = (used[0], used[1], used[2] + 1)
        if used[1] != request:
            raise PowRequired

    def solved(self, header: str | None, route: str) -> tuple[str, str, int]:
        """Challenge, solution and end of a header that can still open a request to `route`, whichever it is.

        What can be said before the request's body is read. Raises PowRequired.
        """
        if header is None:
            raise PowRequired
        text, solution = powchallenge.split(header)
        read = powchallenge.read(self._secret, text, route) or powchallenge.read(self._secret, text, None)
        if read is None or read[0] <= self._now() or not powchallenge.meets(text, solution, read[1]):
            raise PowRequired
        used = self._used.get(text)
        if used is not None and used[2] >= limits.POW_TRIES:
            raise PowRequired
        return text, solution, read[0]

    def _use(self, text: str, expires: int, request: bytes, now: float) -> None:
        for _ in range(min(len(self._used), limits.POW_FORGOTTEN)):
            oldest = next(iter(self._used))
            if self._used[oldest][0] > now:
                break
            del self._used[oldest]
        if len(self._used) >= limits.POW_USED:
            raise Unavailable(max(1, math.ceil(next(iter(self._used.values()))[0] - now)))
        self._used[text] = (expires, request, 1)
        self._solved, self._solved_at = self._solved_now() + 1, now

    def _solved_now(self) -> float:
        age = max(0.0, self._now() - self._solved_at)
        return self._solved * math.exp(-age / limits.POW_RATE_WINDOW)

    def _now(self) -> float:
        """Seconds since we started: what a challenge may show, as it is sent to strangers."""
        return self._clock.boot() - self._epoch


def _request(route: str, digest: bytes, solution: str) -> bytes:
    name = b"\n".join((route.encode(), digest, solution.encode("utf-8", "surrogateescape")))
    return hashlib.blake2b(name, digest_size=_REQUEST_BYTES, person=_PERSON).digest()
