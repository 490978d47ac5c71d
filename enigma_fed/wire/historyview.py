"""The history of one node's gauges, as commands and the control socket show it."""

from __future__ import annotations

from enigma_fed.wire.views import View


class HistoryPoint(View, frozen=True, kw_only=True):
    """One slot: the means of what was heard in it. A gauge that nobody told is None."""

    at: str
    """Beginning of the slot, RFC 3339 in UTC."""
    heard: bool | None
    """Whether the node was heard in it; None when this node's agent did not run."""
    cpu_usage_percent: float | None = None
    mem_used_bytes: int | None = None
    disk_used_bytes: int | None = None
    apps_running: float | None = None
    samples: int = 0
    """How many states the means are of."""


class HistoryView(View, frozen=True, kw_only=True):
    """`peer history`: the slots since a time, oldest first, from the first one that is known."""

    did: str
    name: str
    resolution_s: int
    """Seconds that a slot lasts."""
    since: str
    until: str
    points: list[HistoryPoint]
    mem_total_bytes: int | None = None
    """By its newest state."""
    disk_total_bytes: int | None = None
    problem: str = ""
    """Why nothing could be read, or why it began anew: a sentence."""
