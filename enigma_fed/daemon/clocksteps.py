"""Steps of the wall clock, told from its pace (PROTOCOL section 1.4). Pure: the caller brings both clocks."""

from __future__ import annotations

from typing import Final

from enigma_fed.base import limits

_NEVER: Final = float("-inf")


class ClockSteps:
    """Notes when the wall clock was set, and until which wall time a setting back leaves doubt.

    The kernel slews both clocks alike, and CLOCK_BOOTTIME runs on through a suspend, so their
    distance changes by a step alone. Small changes add up: the distance to compare with follows the
    real one no faster than a clock is slewed.
    """

    __slots__ = ("_distance", "_looked_at", "_newest", "_stepped_at", "doubt_until")

    def __init__(self, wall: float, boot: float, newest: float) -> None:
        """Unix time and seconds of CLOCK_BOOTTIME now; `newest` is the newest Unix time on disk."""
        self._distance = wall - boot
        self._looked_at = boot
        self._newest = newest
        self._stepped_at = _NEVER
        self.doubt_until = newest
        """Requests that were fresh before this Unix time may have been let in and forgotten."""
        if wall < newest:
            self._doubt()
        self._newest = max(newest, wall)  # the run before may have let requests in until now

    def look(self, wall: float, boot: float) -> float:
        """Compare the clocks; the seconds by which the wall clock was set since the last look, else 0."""
        moved = wall - boot - self._distance
        slewed = limits.CLOCK_SLEW * (boot - self._looked_at)
        self._looked_at = boot
        if abs(moved) <= limits.CLOCK_STEP + slewed:
            self._distance += max(-slewed, min(slewed, moved))
            return 0.0
        self._distance += moved
        self._stepped_at = boot
        if moved < 0:
            self._doubt()
        return moved

    def let_in(self, wall: float) -> None:
        """A request may be let in by its own times alone at this Unix time."""
        self._newest = max(self._newest, wall)

    def stepped_lately(self, boot: float) -> bool:
        """Whether a step was seen in the last limits.CHALLENGE_AFTER_STEP seconds."""
        return boot - self._stepped_at < limits.CHALLENGE_AFTER_STEP

    @property
    def newest(self) -> float:
        """The newest Unix time that this node wrote down, started at or let a request in at."""
        return self._newest

    def _doubt(self) -> None:
        self.doubt_until = max(self.doubt_until, self._newest + limits.CHALLENGE_AFTER_STEP)
