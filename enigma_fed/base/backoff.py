"""Exponential back-off with jitter, as pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds: `first`, doubled per failure, at most `maximum`, ± `jitter` (a fraction)."""

    first: float
    maximum: float
    jitter: float = 0.2

    def delay(self, failures: int, chance: float) -> float:
        """Seconds to wait after so many failures in a row (≥ 1); `chance` is random in [0, 1)."""
        doublings = min(max(failures, 1) - 1, 32)
        plain = min(self.first * 2.0**doublings, self.maximum)
        return spread(plain, self.jitter, chance)


def spread(seconds: float, jitter: float, chance: float) -> float:
    """`seconds` moved by up to ± `jitter` (a fraction); `chance` is random in [0, 1)."""
    return seconds * (1.0 + jitter * (2.0 * chance - 1.0))
