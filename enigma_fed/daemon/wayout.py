"""Whether our own way out works, from how Tor gets on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from enigma_fed.transports.tor.status import TorPhase, TorStatus

_WAYS_OUT: Final = frozenset({TorPhase.PUBLISHING, TorPhase.READY})
"""Phases in which peers can be reached, unless Tor tells of a trouble."""


class WayOut:
    """Tells when our own way out is lost, and when it works (again)."""

    def __init__(self, lost: Callable[[], None], back: Callable[[], None]) -> None:
        self._lost = lost
        self._back = back
        self._works = False

    def __call__(self, status: TorStatus) -> None:
        """Note a status."""
        works = status.phase in _WAYS_OUT and not status.reason
        if works != self._works:
            self._works = works
            (self._back if works else self._lost)()
