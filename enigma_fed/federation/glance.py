"""A member in few values, for what looks at all of them: a thousand cost a hundredth of a second or two."""

from __future__ import annotations

from dataclasses import dataclass

from enigma_fed.base.clock import minute_of_day
from enigma_fed.federation.liveness import Liveness, Presence, judge
from enigma_fed.federation.presence import in_local_time, off_now
from enigma_fed.wire.records import Node, Observation


@dataclass(frozen=True, slots=True)
class Glance:
    """A member, and what is known of it now."""

    node: Node
    seen: Observation | None
    liveness: Liveness
    heard_age: float | None
    """Seconds since it was heard; None before the first time since our start."""


def glance(
    node: Node,
    seen: Observation | None,
    *,
    wall: float,
    boot: float,
    heard: float | None,
    interval: float,
    path_ready: bool,
) -> Glance:
    """`heard` is on the boot clock, `interval` that of polls, in seconds."""
    away = seen.away if seen is not None else ()
    off = None
    if away or node.offline_windows:
        off = off_now(node.offline_windows, in_local_time(away, wall), minute_of_day(wall))
    presence = Presence(heard=heard, now=boot, interval=interval, path_ready=path_ready, off=off)
    return Glance(node, seen, judge(presence), None if heard is None else max(0.0, boot - heard))
