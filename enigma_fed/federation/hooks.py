"""What the federation asks of the rest of the agent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from enigma_fed.base.ids import Did
from enigma_fed.rpc.traffic import DayBytes
from enigma_fed.wire.snapshot import Snapshot


def _nowhere(did: Did, snapshot: Snapshot, at: int) -> None:
    """Nobody keeps a history."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Calls that the agent ties to its other parts; each returns at once."""

    cut: Callable[[Did], None] = lambda _: None
    """End everything in flight with this DID, before returning (invariant 6)."""
    path_ready: Callable[[], bool] = lambda: True
    """Whether our own way out works (Tor is ready)."""
    another_copy: Callable[[], bool] = lambda: False
    """Whether another copy of this node was heard at our onion of late."""
    traffic: Callable[[Did], DayBytes | None] = lambda _: None
    """What went over the wire with this DID in the last day; None when nobody counts."""
    state_stored: Callable[[Did, Snapshot, int], None] = _nowhere
    """A signed answer of this member told its state (again) at this Unix time: it was heard."""
    removed: Callable[[Did], None] = lambda _: None
    """This DID is no member any more; what is kept of it elsewhere goes."""
