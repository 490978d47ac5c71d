"""Asking a registry until there is an answer: pauses that it asks for, proof of work, connections that break.

Everything that it may demand is bounded: tries, seconds of waiting, challenges that are solved.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from enigma_fed.base import registry_limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.durations import duration
from enigma_fed.base.errors import WireError
from enigma_fed.base.registry_client_errors import (
    NotOffered,
    PowTooHard,
    RegistryAnswerBroken,
    RegistryBusy,
    RegistryNotTrusted,
    RegistryUnreachable,
)
from enigma_fed.base.registry_errors import PowRequired, RateLimited, RegistryError
from enigma_fed.registry.clienthttp import Answer, RegistryHttp
from enigma_fed.wire import registryreplies

T = TypeVar("T")
Solver = Callable[[str, int, float], Awaitable[str]]
"""The solution of (challenge, difficulty) within so many seconds; raises PowTooHard."""

POW_FIELD: Final = "x-enigma-pow"
_CHALLENGES: Final = "/pow/challenge"
_OK: Final = 200
_ABSENT: Final = frozenset({404, 405})
_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})
_FIRST_PAUSE: Final = 0.25
_BROKEN_PAUSE: Final = 0.2
_CLOCKS_AGREE: Final = 600
_CHALLENGE: Final = re.compile(r"[!-9;-~]{1,64}", re.ASCII)
"""Visible characters without a colon, which ends it in the header."""
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Patience:
    """What one command puts up with."""

    wait: float = registry_limits.CLIENT_WAIT
    """Seconds of pauses that the registry asks for, all together."""
    pow_seconds: float = registry_limits.CLIENT_POW_SECONDS
    """For each challenge."""


class Calls:
    """Requests of one command to one registry."""

    def __init__(self, http: RegistryHttp, clock: Clock, solver: Solver, patience: Patience) -> None:
        self._http = http
        self._clock = clock
        self._solver = solver
        self._patience = patience
        self._waited = 0.0

    async def ask(
        self, method: str, path: str, body: bytes | None = None, *, pow_route: str | None = None
    ) -> Answer:
        """The answer with status 200; raises RegistryError for a refusal, and what `find` raises."""
        answer = await self.find(method, path, body, pow_route=pow_route)
        if answer is None:
            raise NotOffered(f"it knows no {method} {path.partition('?')[0]}")
        return answer

    async def find(
        self, method: str, path: str, body: bytes | None = None, *, pow_route: str | None = None
    ) -> Answer | None:
        """The same, None when the registry has no such route.

        `pow_route` names the route that a proof of work would be for, None does not tell.
        Raises RegistryError, RegistryUnreachable, RegistryAnswerBroken, RegistryBusy, PowTooHard, NotOffered.
        """
        fields: dict[str, str] = {}
        solved = tries = 0
        while True:
            tries += 1
            try:
                answer = await self._http.ask(method, path, body, fields)
            except RegistryUnreachable as error:
                if tries >= self._tries or isinstance(error, RegistryNotTrusted):
                    raise
                await self._clock.sleep(_BROKEN_PAUSE * tries)
                continue
            if answer.status == _OK:
                return answer
            if answer.status in _ABSENT:
                return None
            refusal = registryreplies.read_error(answer.status, answer.body, answer.retry_after)
            if not path.startswith(_CHALLENGES) and self._asks_for_work(refusal, solved):
                solved += 1
                header = await self._work(pow_route)
                if header is not None:
                    fields[POW_FIELD] = header  # the same in every try from here on
                    tries = 0
                    continue
                if isinstance(refusal, PowRequired):
                    raise NotOffered("it asks for a proof of work and offers no challenge")
            if answer.status not in _LATER:
                raise refusal
            await self._pause(refusal, answer.retry_after, tries)

    @property
    def _tries(self) -> int:
        """Through Tor each try takes long, and Tor tries several times by itself."""
        return 2 if self._http.place.onion else registry_limits.CLIENT_TRIES

    def _asks_for_work(self, refusal: RegistryError, solved: int) -> bool:
        if isinstance(refusal, RateLimited):  # strangers of an onion share one account; work goes past it
            return self._http.place.onion is not None and solved == 0
        if not isinstance(refusal, PowRequired):
            return False
        if solved >= registry_limits.CLIENT_POW_ROUNDS:
            raise PowTooHard(
                f"it did not take {solved} solutions and asks for another",
                hint="Try again later; its operator may look at [pow].",
            )
        return True

    async def _work(self, route: str | None) -> str | None:
        """The header's text for a challenge of this registry, solved; None when it offers none."""
        answer = await self.find("GET", _CHALLENGES if route is None else f"{_CHALLENGES}?route={route}")
        if answer is None:
            return None
        asked = read_answer(answer, registryreplies.read_challenge)
        if _CHALLENGE.fullmatch(asked.text) is None:
            raise RegistryAnswerBroken("its challenge is none")
        left = asked.expires_ms / 1000 - self._clock.wall()
        seconds = self._patience.pow_seconds
        # A clock of the registry that is far from ours says nothing of the time that is left.
        if 0 < left < _CLOCKS_AGREE:
            seconds = min(seconds, left)
        return f"{asked.text}:{await self._solver(asked.text, asked.difficulty, seconds)}"

    async def _pause(self, refusal: RegistryError, retry_after: int | None, tries: int) -> None:
        """Wait as long as the registry asks for; raises the refusal or RegistryBusy when that is too long."""
        if tries >= self._tries:
            raise refusal
        pause = _FIRST_PAUSE * 2**tries if retry_after is None else float(retry_after)
        if self._waited + pause > self._patience.wait:
            asked = "more than a day" if pause > _DAY else duration(pause)
            raise RegistryBusy(
                f"{refusal.message}; it asks to wait {asked}",
                hint="Try again then. To let the command wait: --wait SECONDS",
            )
        self._waited += pause
        await self._clock.sleep(pause)


def read_answer(answer: Answer, read: Callable[[bytes], T]) -> T:
    """What a strict reader makes of an answer; raises RegistryAnswerBroken."""
    try:
        return read(answer.body)
    except WireError as error:
        raise RegistryAnswerBroken(error.detail) from None
