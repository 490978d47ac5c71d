"""Durations in few numbers: how many took how long."""

from __future__ import annotations

from bisect import bisect_left


class Histogram:
    """Counts durations in seconds by upper bounds, which rise; what is longer than the last counts, too."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        """Sum of all, in seconds."""

    def note(self, seconds: float) -> None:
        """Count one; a negative one is none."""
        if seconds >= 0:
            self._counts[bisect_left(self.bounds, seconds)] += 1
            self.total += seconds

    @property
    def counts(self) -> tuple[int, ...]:
        """How many were within each bound and not within the one before; the last: within none."""
        return tuple(self._counts)
