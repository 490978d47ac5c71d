"""What to do about an onion that does not answer its own node, and how long to wait before. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from enigma_fed.base import limits


class Repair(enum.StrEnum):
    """From the gentlest to the last; each but the last leaves open connections alone."""

    RELOAD = "reload"
    """Make sure that tor has the onion at all."""
    RENEW = "renew"
    """Take the onion out and in again: new meeting points, a new descriptor."""
    RESTART = "restart"
    """Start tor, or the connection to it, from the beginning."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """How many repairs were tried since the onion answered last; each waits longer than the one before."""

    step: int = 0

    @property
    def patience(self) -> float:
        """Seconds without an answer before the next repair: doubles with each, up to an hour."""
        return min(limits.ONION_REPAIR_FIRST * 2.0 ** min(self.step, 32), limits.ONION_REPAIR_MAX)

    def due(self, seconds: float) -> Repair | None:
        """The repair that is due after so many seconds without an answer since the last one."""
        if seconds < self.patience:
            return None
        kinds = tuple(Repair)
        return kinds[self.step % len(kinds)]

    def climbed(self) -> Ladder:
        """After one more repair."""
        return Ladder(self.step + 1)
