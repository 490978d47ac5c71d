"""Delivery of accepted invites: one line per join, until it is answered (PROTOCOL section 4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, PeerUnreachable
from enigma_fed.base.ids import Did
from enigma_fed.federation import schedule
from enigma_fed.federation.accepting import delivery_ends, is_open
from enigma_fed.federation.decision import find_incoming
from enigma_fed.federation.lines import Lines, Traffic, Work
from enigma_fed.wire.records import IncomingInvite, Membership

Deliver = Callable[[IncomingInvite], Awaitable[EnigmaError | None]]
"""Tries one delivery and stores what came of it; the error when it was not answered with a yes."""
GiveUp = Callable[[IncomingInvite], Awaitable[None]]
"""Ends a join whose time is over."""

_OVER: Final = "the join is over"


class Outbox:
    """Keeps one line per open join, by the hash of its token."""

    def __init__(
        self, deliver: Deliver, give_up: GiveUp, membership: Callable[[], Membership], traffic: Traffic
    ) -> None:
        """`membership` gives the newest one."""
        self._deliver = deliver
        self._give_up = give_up
        self._membership = membership
        self._traffic = traffic
        self._of: dict[Did, list[bytes]] = {}
        """The open joins of each inviter."""
        work = Work(_name, _OVER, self._once, self._pause, limits.JOIN_BACKOFF_MAX)
        self._lines: Lines[bytes] = Lines(traffic, work)

    def follow(self) -> None:
        """Start and stop deliveries so that they fit the membership."""
        opened = [entry for entry in self._membership().invites.incoming if is_open(entry)]
        self._of = {}
        for entry in opened:
            self._of.setdefault(entry.did, []).append(entry.token_hash)
        self._lines.follow({entry.token_hash for entry in opened}, lambda _: (0.0, 0))

    def lose(self) -> None:
        """Our own way out does not work: failures since it was last proven say nothing."""
        self._lines.lose()

    def proven(self) -> None:
        """Something came through our own way out."""
        self._lines.proven()

    def wake(self) -> None:
        """Our own way out works again: a join that was tried in vain meanwhile is tried now."""
        self._lines.wake()

    async def deliver_now(self, did: Did) -> EnigmaError | None:
        """Try the open join to this inviter at once; None when there is none or it said yes."""
        for token_hash in self._of.get(did, ()):
            line = self._lines.get(token_hash)
            if line is not None:
                return await line.ask()
        return None

    async def close(self) -> None:
        """Stop every delivery and wait for its end; the next start goes on with it."""
        await self._lines.close()

    async def _once(self, token_hash: bytes) -> EnigmaError | None:
        entry = self._find(token_hash)
        if entry is not None and self._traffic.clock.wall() <= delivery_ends(entry):
            return await self._deliver(entry)
        if entry is not None:
            await self._give_up(entry)
        return PeerUnreachable(_OVER)

    def _pause(self, token_hash: bytes, failures: int) -> float | None:
        entry = self._find(token_hash)
        return None if entry is None else schedule.next_join(entry, failures, self._traffic.chance())

    def _find(self, token_hash: bytes) -> IncomingInvite | None:
        entry = find_incoming(self._membership(), token_hash)
        return entry if entry is not None and is_open(entry) else None


def _name(token_hash: bytes) -> str:
    return f"join {token_hash.hex()[:8]}"
