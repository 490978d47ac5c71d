"""Whether this machine's clock can be trusted, and so whether every caller is asked for a challenge."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.daemon.clocksteps import ClockSteps
from enigma_fed.rpc.gate import in_start_window
from enigma_fed.wire.records import Membership, Observation

_log = logging.getLogger(__name__)

_STA_UNSYNC: Final = 0x40
_TIMEX_BYTES: Final = 512


class _Timex(ctypes.Structure):
    """The head of the kernel's `struct timex`, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * _TIMEX_BYTES),
    )


@cache
def _find_adjtimex() -> Callable[..., int] | None:
    """The C library's function, looked up once: each request asks whether the clock is kept right."""
    try:
        return ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None


def kernel_synchronised() -> bool | None:
    """Whether the kernel says that something keeps the clock right; None when it cannot be asked."""
    adjtimex, timex = _find_adjtimex(), _Timex()
    if adjtimex is None or adjtimex(ctypes.byref(timex)) < 0:
        return None
    return not timex.status & _STA_UNSYNC


class ClockState:
    """Decides when every caller needs a challenge (PROTOCOL section 1.4).

    `newest` is the newest Unix time found in the node's files at the start.
    """

    def __init__(
        self,
        clock: Clock,
        newest: int,
        *,
        assume: bool,
        ask_kernel: Callable[[], bool | None] = kernel_synchronised,
    ) -> None:
        self._clock = clock
        self._assume = assume
        self._ask_kernel = ask_kernel
        self._started = clock.boot()
        self._steps = ClockSteps(clock.wall(), self._started, newest)

    @property
    def synchronised(self) -> bool | None:
        """What the kernel or the owner says; None when nobody knows."""
        return True if self._assume else self._ask_kernel()

    @property
    def behind(self) -> bool:
        """Whether the wall clock is before a time that this node wrote down, or served a request at."""
        return self._clock.wall() < self._steps.newest

    @property
    def in_doubt(self) -> bool:
        """True just after a start or a step of the wall clock, and while the clock cannot be trusted."""
        return self._is_in_doubt(*self._look())

    def challenge_everyone(self) -> bool:
        """Whether a request that looks fresh is challenged (`in_doubt`); False lets it in by its times."""
        wall, boot = self._look()
        if self._is_in_doubt(wall, boot):
            return True
        self._steps.let_in(wall)
        return False

    def let_in(self, wall: float) -> None:
        """A request that was signed up to this Unix time, but not after now, was let in by a challenge."""
        self._steps.let_in(wall)

    async def watch(self) -> None:
        """Look for steps when nobody calls, so that the time after one begins with it; never returns."""
        while True:
            await self._clock.sleep(limits.CLOCK_LOOK)
            self._look()

    def _is_in_doubt(self, wall: float, boot: float) -> bool:
        if in_start_window(boot, self._started) or self._steps.stepped_lately(boot):
            return True
        return wall < self._steps.doubt_until or self.synchronised is not True

    def _look(self) -> tuple[float, float]:
        wall, boot = self._clock.wall(), self._clock.boot()
        moved = self._steps.look(wall, boot)
        if moved:
            _log.warning("the clock was set by %+.0f s: callers are asked for one more round trip", moved)
        return wall, boot


def newest_time(membership: Membership, observations: Iterable[Observation] = ()) -> int:
    """The newest Unix time in the files that this node's own clock wrote; 0 for empty ones."""
    seen = (entry.last_seen or 0 for entry in observations)
    return max((*_times(membership), *seen), default=0)


def _times(membership: Membership) -> Iterator[int]:
    for node in membership.nodes.nodes:
        yield from (node.added_at, node.stage_at, node.last_seen or 0, node.last_error_at or 0)
    for tombstone in membership.nodes.removed:
        yield tombstone.removed_at
    for outgoing in membership.invites.outgoing:
        yield from (outgoing.created_at, outgoing.stage_at, outgoing.last_error_at or 0)
    for incoming in membership.invites.incoming:
        yield from (incoming.created_at, incoming.stage_at, incoming.last_error_at or 0)
    for pending in membership.invites.pending:
        yield pending.received_at
