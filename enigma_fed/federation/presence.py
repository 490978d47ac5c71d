"""What is shown of a peer: its entry, what polling learned, whether it is there and why that is said."""

from __future__ import annotations

from collections.abc import Iterable

from enigma_fed.base.clock import Clock, minute_of_day, utc_offset
from enigma_fed.federation.liveness import Off, Presence, judge, reason
from enigma_fed.wire.records import Node, Observation
from enigma_fed.wire.viewbuild import peer_view
from enigma_fed.wire.views import PeerView
from enigma_fed.wire.windows import Window


def show(
    node: Node,
    seen: Observation | None,
    clock: Clock,
    *,
    heard: float | None,
    interval: float,
    next_poll: float | None = None,
    path_ready: bool = True,
    running: bool = True,
) -> PeerView:
    """The member for the owner; `heard` and `next_poll` are seconds on the boot clock, as in `Presence`."""
    wall, boot = clock.wall(), clock.boot()
    announced = in_local_time(seen.away if seen is not None else (), wall)
    presence = Presence(
        heard=heard,
        now=boot,
        interval=interval,
        path_ready=path_ready,
        running=running,
        paused=node.paused,
        off=off_now(node.offline_windows, announced, minute_of_day(wall)),
        failures=seen.failures if seen is not None else 0,
        problem=seen.last_error if seen is not None else None,
        next_poll=next_poll,
    )
    return peer_view(
        node,
        seen,
        judge(presence).value,
        wall,
        reason=reason(presence),
        next_poll=None if next_poll is None else wall + max(0.0, next_poll - boot),
        announced=announced,
    )


def in_local_time(windows: Iterable[Window], unix: float) -> tuple[Window, ...]:
    """Windows in UTC as this machine's clocks show them at that time."""
    offset = utc_offset(unix)
    return tuple(window.shifted(offset) for window in windows)


def off_now(ours: Iterable[Window], announced: Iterable[Window], minute: int) -> Off | None:
    """The window of our owner, else of the peer, that holds this minute."""
    for windows, by_itself in ((ours, False), (announced, True)):
        for window in windows:
            if window.holds(minute):
                return Off(until=str(window).partition("-")[2], announced=by_itself)
    return None
