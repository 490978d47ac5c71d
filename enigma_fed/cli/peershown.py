"""All that is known of a peer, as `peer show` tells it."""

from __future__ import annotations

from collections.abc import Iterator

from enigma_fed.cli.humane import at, duration, milliseconds, size
from enigma_fed.cli.peerrow import clock, gauge, path, running_apps, share
from enigma_fed.wire.calling import borrowed, called
from enigma_fed.wire.views import AppView, PeerView, SnapshotView

Pairs = list[tuple[str, str]]


def details(entry: PeerView, now: float, *, bars: bool = False) -> Pairs:
    """All that is known of it, by label; `now` is Unix time, `bars` draws gauges beside their percents."""
    return [*_membership(entry, now), *_contact(entry, now), *_state(entry, now, bars)]


def _membership(entry: PeerView, now: float) -> Pairs:
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
        ("Forgot this node", "yes: ask for a new invite" if entry.they_forgot_us else ""),
        ("Invalid entry", entry.invalid or ""),
    ]


def _contact(entry: PeerView, now: float) -> Pairs:
    problem = f"{entry.last_error} ({at(entry.last_error_at, now)})" if entry.last_error else ""
    untold = entry.paused and "paused" not in entry.liveness_reason
    alive = f"{entry.liveness}, paused" if untold else entry.liveness
    return [
        ("Liveness", f"{alive} ({entry.liveness_reason})" if entry.liveness_reason else alive),
        ("Last seen", at(entry.last_seen, now)),
        ("Path", _path(entry, now)),
        ("Next poll", _next_poll(entry, now)),
        ("Latency", milliseconds(entry.latency_ms) if entry.latency_ms is not None else ""),
        ("Clock", clock(entry.skew_s)),
        ("Last 24 h", _traffic(entry)),
        ("Expected to be off", ", ".join(entry.offline_windows)),
        ("Announced to be off", ", ".join(entry.announced_windows)),
        ("Last problem", problem),
    ]


def _next_poll(entry: PeerView, now: float) -> str:
    if not entry.next_poll_at:
        return ""
    why = "; its stream stands)" if entry.stream_since else ")"
    return at(entry.next_poll_at, now).removesuffix(")") + why


def _path(entry: PeerView, now: float) -> str:
    since = f", since {at(entry.stream_since, now)}" if entry.stream_since else ""
    return f"{path(entry)}{since}" if entry.via else ""


def _traffic(entry: PeerView) -> str:
    if entry.bytes_in is None:
        return ""
    return f"{size(entry.bytes_in)} from it, {size(entry.bytes_out)} to it"


def _state(entry: PeerView, now: float, bars: bool) -> Pairs:
    state = entry.last_state
    if state is None:
        return [("State", "none yet")]
    return [
        ("State of", at(state.timestamp, now)),
        ("Old", _why_old(entry)),
        ("CPU", "" if state.cpu_usage_percent is None else f"{state.cpu_usage_percent:.1f} %"),
        ("Memory", _of(state.mem_used_bytes, state.mem_total_bytes, bars)),
        ("Disk", _of(state.disk_used_bytes, state.disk_total_bytes, bars)),
        ("Up for", "" if state.uptime_secs is None else duration(state.uptime_secs)),
        ("Its Tor", "" if state.tor_active is None else "works" if state.tor_active else "does not work"),
        *_apps(state),
    ]


def _why_old(entry: PeerView) -> str:
    if entry.state_refused:
        return f"yes: its newest state was refused ({entry.state_refused})"
    return "yes: nothing newer has come" if entry.state_old else ""


def _of(used: int | None, total: int | None, bars: bool) -> str:
    if used is None and total is None:
        return ""
    percent = share(used, total)
    shown = "" if percent is None else f" ({gauge(percent, bars=bars).strip()})"
    return f"{size(used)} of {size(total)}{shown}"


def _apps(state: SnapshotView) -> Iterator[tuple[str, str]]:
    if not state.apps:
        yield "Apps", "none"
        return
    yield "Apps", f"{running_apps(state)} of {len(state.apps)} running"
    width = min(max(len(app.id) for app in state.apps), 40)
    for app in state.apps:
        yield "", _app(app, width)


def _app(app: AppView, width: int) -> str:
    return f"{app.id:<{width}}  {app.status}" + (f"  {app.version}" if app.version else "")
