"""When a stream may send, and when it ends: pure decisions of PROTOCOL section 3.

Times are boot-clock seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.ratelimit import TokenBucket
from enigma_fed.wire.state import Have
from enigma_fed.wire.stream import CloseCode


def _taken() -> TokenBucket:
    return TokenBucket(limits.STREAM_MESSAGES, limits.STREAM_MESSAGES_BURST)


@dataclass(slots=True)
class Window:
    """What is known of one subscriber."""

    opened: float
    """When the stream began."""
    have: Have | None
    """The state that it has once it has read all that was sent; None for none."""
    heard: float = field(init=False)
    _waiting: deque[tuple[int, float]] = field(init=False, default_factory=deque)
    """The frames that it has not acknowledged: seq, and when it was sent."""
    _taken: TokenBucket = field(init=False, default_factory=_taken)

    def __post_init__(self) -> None:
        self.heard = self.opened

    @property
    def is_open(self) -> bool:
        """Whether another frame may be sent before one is acknowledged."""
        return len(self._waiting) < limits.STREAM_WINDOW

    def sent(self, newest: Have, now: float) -> None:
        """A frame went out, and the subscriber will have `newest`."""
        self.have = newest
        self._waiting.append((newest.seq, now))

    def took(self, now: float) -> None:
        """The subscriber sent something; raises WireError when it sends too much."""
        self.heard = now
        if not self._taken.take(now):
            raise WireError("too many messages")

    def acknowledged(self, seq: int) -> None:
        """The subscriber has all frames up to `seq`; raises WireError when no frame of that number waits."""
        if all(sent != seq for sent, _ in self._waiting):
            raise WireError("it acknowledges what was not sent")
        while self._waiting.popleft()[0] != seq:
            pass

    def ending(self, now: float) -> CloseCode | None:
        """Why the stream has to end now; None when it has not."""
        if self._waiting and now - self._waiting[0][1] >= limits.STREAM_SLOW:
            return CloseCode.SLOW
        if now - self.heard >= limits.STREAM_SILENCE:
            return CloseCode.SILENT
        return CloseCode.DONE if now - self.opened >= limits.STREAM_LIFE else None
