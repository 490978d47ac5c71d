"""What is shown of a peer: a row of `peer list`, the details of `peer show`."""

from __future__ import annotations

from enigma_fed.base import limits
from enigma_fed.cli.humane import ago, at, brief, duration, milliseconds, short_did, size
from enigma_fed.wire.calling import borrowed, called
from enigma_fed.wire.views import PeerView


def row(entry: PeerView, now: float) -> tuple[str, ...]:
    """Its cells under the columns of `peer list`; `now` is Unix time."""
    if entry.invalid is not None:
        return (
            entry.name or "-",
            entry.did or "-",
            "-",
            "invalid",
            "-",
            "-",
            "-",
            entry.last_error or "not valid",
        )
    return (
        called(entry),
        short_did(entry.did),
        entry.trust_level,
        entry.stage,
        _liveness(entry),
        ago(entry.last_seen, now, 1),
        milliseconds(entry.latency_ms),
        "they forgot this node"
        if entry.they_forgot_us
        else brief(entry.last_error or borrowed(entry) or _wrong_clock(entry)),
    )


def clock(skew_s: int | None) -> str:
    """How a clock that differs from ours by so many seconds is told; "" when nobody knows."""
    if skew_s is None:
        return ""
    side = "ahead of" if skew_s > 0 else "behind"
    return f"{abs(skew_s)} s {side} ours" if skew_s else "as ours"


def _wrong_clock(entry: PeerView) -> str:
    return f"its clock is {clock(entry.skew_s)}" if abs(entry.skew_s or 0) > limits.SKEW_TOLD else ""


def _liveness(entry: PeerView) -> str:
    if entry.stage == "refused":
        return "-"  # it may answer, but not as a peer
    return "paused" if entry.paused else entry.liveness


def details(entry: PeerView, now: float) -> list[tuple[str, str]]:
    """All that is known of it, by label; `now` is Unix time."""
    return [*_membership(entry, now), *_state(entry, now)]


def _membership(entry: PeerView, now: float) -> list[tuple[str, str]]:
    problem = f"{entry.last_error} ({at(entry.last_error_at, now)})" if entry.last_error else ""
    return [
        ("Name", called(entry)),
        ("Mind the name", borrowed(entry)),
        ("Its own name", (entry.name or "") if entry.alias else ""),
        ("DID", entry.did),
        ("Onion address", entry.onion),
        ("Trust here", entry.trust_level),
        ("Our trust there", entry.granted_trust or ""),
        ("Legacy requests", "answered with our state" if entry.legacy else ""),
        ("Stage", f"{entry.stage}, since {at(entry.stage_at, now)}" if entry.stage else ""),
        ("Liveness", f"{entry.liveness}, paused" if entry.paused else entry.liveness),
        ("Expected to be off", ", ".join(entry.offline_windows)),
        ("Announced to be off", ", ".join(entry.announced_windows)),
        ("Last seen", at(entry.last_seen, now)),
        ("Latency", milliseconds(entry.latency_ms) if entry.latency_ms is not None else ""),
        ("Clock", clock(entry.skew_s)),
        ("Forgot this node", "yes: ask for a new invite" if entry.they_forgot_us else ""),
        ("Last problem", problem),
        ("Invalid entry", entry.invalid or ""),
    ]


def _state(entry: PeerView, now: float) -> list[tuple[str, str]]:
    state = entry.last_state
    if state is None:
        return [("State", "none yet")]
    cpu = f"{state.cpu_usage_percent:.1f} %" if state.cpu_usage_percent is not None else ""
    return [
        ("State of", at(state.timestamp, now)),
        ("CPU", cpu),
        ("Memory", f"{size(state.mem_used_bytes)} of {size(state.mem_total_bytes)}"),
        ("Disk", f"{size(state.disk_used_bytes)} of {size(state.disk_total_bytes)}"),
        ("Up for", duration(state.uptime_secs) if state.uptime_secs is not None else ""),
        ("Apps", ", ".join(f"{app.id} {app.status}" for app in state.apps)),
    ]
