"""Token buckets, pure: the caller brings the time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBucket:
    """At most `burst` at once and `rate` per second in the long run."""

    rate: float
    burst: float
    _level: float = field(init=False)
    _at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._level = self.burst

    def take(self, now: float, tokens: float = 1.0) -> bool:
        """Take so many tokens at time `now` (seconds, any steady origin); False when there are less."""
        if self._at is not None:
            self._level = min(self.burst, self._level + max(0.0, now - self._at) * self.rate)
        self._at = now
        if self._level < tokens:
            return False
        self._level -= tokens
        return True
