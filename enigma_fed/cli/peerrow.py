"""A peer as a row of `peer list`."""

from __future__ import annotations

from typing import Final

from enigma_fed.base import limits
from enigma_fed.cli.humane import ago, brief, duration, milliseconds, short_did, size
from enigma_fed.cli.tables import Shape
from enigma_fed.wire.calling import borrowed, called
from enigma_fed.wire.views import PeerView, SnapshotView

COLUMNS: Final = (
    *("NAME", "DID", "TRUST", "STAGE", "LIVENESS", "CPU", "MEM", "DISK", "APPS", "AGE", "PATH"),
    *("24 H", "LAST SEEN", "LATENCY", "PROBLEM"),
)
SHAPE: Final = Shape(
    flow="NAME",
    note="PROBLEM",
    spare=("LATENCY", "DID", "LAST SEEN", "STAGE", "TRUST", "24 H", "PATH", "AGE", "APPS", "DISK"),
)
_BARS: Final = "▁▂▃▄▅▆▇█"
_RUNNING: Final = "running"
_NOTHING: Final = "-"


def row(entry: PeerView, now: float, *, bars: bool = False) -> tuple[str, ...]:
    """Its cells under COLUMNS; `now` is Unix time, `bars` draws gauges beside their percents."""
    if entry.invalid is not None:
        return (
            *(entry.name or _NOTHING, entry.did or _NOTHING, _NOTHING, "invalid", "invalid"),
            *[_NOTHING] * (len(COLUMNS) - 6),
            entry.last_error or "not valid",
        )
    state = entry.last_state
    return (
        called(entry),
        short_did(entry.did),
        entry.trust_level,
        entry.stage,
        condition(entry),
        *(gauge(share, bars=bars) for share in shares(state)),
        apps(state),
        _age(entry),
        path(entry),
        _NOTHING if entry.bytes_in is None else size(entry.bytes_in + (entry.bytes_out or 0)),
        ago(entry.last_seen, now, 1),
        milliseconds(entry.latency_ms),
        problem(entry),
    )


def fact(entry: PeerView) -> tuple[object, str]:
    """What of it does not change with time alone, and the line that tells it."""
    trouble = problem(entry)
    telling = "" if trouble == entry.liveness_reason else trouble  # it counts seconds
    what = (called(entry), condition(entry), entry.stage, apps(entry.last_state), path(entry), telling)
    parts = [condition(entry), entry.stage]
    if entry.via:
        parts.append(path(entry))
    if entry.last_state is not None and entry.last_state.apps:
        parts.append(f"{apps(entry.last_state)} apps run")
    return what, f"{called(entry)}: {', '.join(parts)}" + (f" ({trouble})" if trouble else "")


def shares(state: SnapshotView | None) -> tuple[float | None, float | None, float | None]:
    """CPU, memory and disk in use, in percent."""
    if state is None:
        return None, None, None
    memory = share(state.mem_used_bytes, state.mem_total_bytes)
    return state.cpu_usage_percent, memory, share(state.disk_used_bytes, state.disk_total_bytes)


def share(used: int | None, total: int | None) -> float | None:
    """Percent of a whole."""
    return None if used is None or not total else 100 * used / total


def gauge(percent: float | None, *, bars: bool) -> str:
    """`42%`, with a bar of one character where those can be drawn."""
    if percent is None:
        return _NOTHING
    text = f"{percent:.0f}%"
    step = min(len(_BARS) - 1, max(0, int(percent * len(_BARS) / 100)))
    return f"{_BARS[step]} {text:>3}" if bars else text


def apps(state: SnapshotView | None) -> str:
    """Running ones of all, as `3/4`."""
    if state is None or not state.apps:
        return _NOTHING
    return f"{running_apps(state)}/{len(state.apps)}"


def running_apps(state: SnapshotView) -> int:
    """How many apps run."""
    return sum(app.status.casefold() == _RUNNING for app in state.apps)


def path(entry: PeerView) -> str:
    """By what its states come."""
    if entry.stream_since:
        return "tor stream"
    return "tor poll" if entry.via else _NOTHING


def condition(entry: PeerView) -> str:
    """Its liveness; of who is no member, or is not asked, that."""
    if entry.stage == "refused":
        return "refused"  # it may answer, but not as a peer
    if entry.stage == "awaiting-approval":
        return "waiting"
    return "paused" if entry.paused else entry.liveness


def problem(entry: PeerView) -> str:
    """What its owner, or ours, should know, the gravest first."""
    return "; ".join(filter(None, (borrowed(entry), _trouble(entry), wrong_clock(entry))))


def _trouble(entry: PeerView) -> str:
    if entry.they_forgot_us:
        return "they forgot this node"
    if entry.stage == "awaiting-approval" and entry.joined_as == "inviter":
        return f"it waits for your approval: enigma-fed peer approve {entry.did}"
    if entry.state_refused:
        return f"its newest state was refused ({entry.state_refused}); the one before is shown"
    silent = entry.liveness not in ("up", "unknown") and not entry.paused and entry.stage != "refused"
    if silent and entry.liveness_reason:
        return entry.liveness_reason
    return brief(entry.last_error or "")


def wrong_clock(entry: PeerView) -> str:
    """Whether its clock is far from ours."""
    return f"its clock is {clock(entry.skew_s)}" if abs(entry.skew_s or 0) > limits.SKEW_TOLD else ""


def clock(skew_s: int | None) -> str:
    """How a clock that differs from ours by so many seconds is told; "" when nobody knows."""
    if skew_s is None:
        return ""
    side = "ahead of" if skew_s > 0 else "behind"
    return f"{abs(skew_s)} s {side} ours" if skew_s else "as ours"


def _age(entry: PeerView) -> str:
    if entry.age_s is None:
        return _NOTHING
    return duration(entry.age_s, 1) + (" (old)" if entry.state_old else "")
