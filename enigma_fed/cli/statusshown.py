"""What `status` tells of a node, by label."""

from __future__ import annotations

from enigma_fed.cli.humane import duration, size
from enigma_fed.wire.views import PublicOnionView, RegistryView, SnapshotView, StatusView, TorView


def details(view: StatusView) -> list[tuple[str, str]]:
    """The labelled values; those that there are not are empty."""
    return [
        ("Node", f"{view.node.name} ({view.node.did})"),
        ("Onion address", view.node.onion),
        ("Data folder", view.node.data_dir),
        ("Agent", _agent(view)),
        ("Listens on", view.listen or ""),
        ("Health and metrics", _health_and_metrics(view)),
        ("Announced off", ", ".join(view.offline_windows)),
        ("Tor", _tor(view.tor)),
        ("Which tor", _which_tor(view.tor)),
        ("For strangers", _public(view.public)),
        ("Registry", _registry(view.registry)),
        ("Limits", f"per {', '.join(view.limited_by)}" if view.limited_by else ""),
        ("Peers", _peers(view)),
        ("Invites", f"{view.invites_open} open, {view.joins_waiting} waiting for you or for an answer"),
        ("Clock", _clock(view)),
        ("Machine", _machine(view.state)),
    ]


def _agent(view: StatusView) -> str:
    if not view.running:
        return "not running"
    since = f", up for {duration(view.uptime_s)}" if view.uptime_s is not None else ""
    return f"running (process {view.pid}){since}"


def _health_and_metrics(view: StatusView) -> str:
    if view.admin:
        return f"http://{view.admin}/metrics"
    return "off (admin.listen)" if view.admin_listen == "" else ""


def _tor(tor: TorView | None) -> str:
    if tor is None:
        return ""
    if tor.phase in ("off", "ready"):
        text = tor.phase
    else:
        text = f"{tor.phase} {tor.percent} %" + (f", {tor.summary}" if tor.summary else "")
    return f"{text}: {tor.reason}" if tor.reason else text


def _which_tor(tor: TorView | None) -> str:
    if tor is None or tor.phase == "off":
        return ""
    parts = [f"{tor.mode} ({tor.chosen})" if tor.chosen else tor.mode]
    if tor.pow is not None:
        parts.append(f"proof of work {'on' if tor.pow else 'off'}")
    if tor.repairs:
        parts.append(f"mended {tor.repairs} times, last: {tor.last_repair}")
    return ", ".join(parts)


def _public(public: PublicOnionView | None) -> str:
    if public is None:
        return ""
    services = ", ".join(f"{name} at {public.onion}:{port}" for name, port in public.ports.items())
    text = f"{services}: {public.phase}" + (f", {public.reason}" if public.reason else "")
    return f"{text}; mended {public.repairs} times" if public.repairs else text


def _registry(registry: RegistryView | None) -> str:
    if registry is None:
        return ""
    if not registry.running:
        return f"not running: {registry.trouble}"
    scheme = "https" if registry.tls else "http"
    where = f"{scheme}://{registry.listen}" if registry.listen else "no port of this machine"
    return f"{where}, {registry.identities} {'identity' if registry.identities == 1 else 'identities'}"


def _peers(view: StatusView) -> str:
    counts = ", ".join(f"{count} {liveness}" for liveness, count in view.peers.items() if count)
    more = (
        (view.streams, "by stream"),
        (view.states_old, "with an old state"),
        (view.states_refused, "whose newest state was refused"),
    )
    return "; ".join([counts or "none yet", *(f"{count} {what}" for count, what in more if count)])


def _clock(view: StatusView) -> str:
    if view.clock_synchronised is None:
        return ""
    return "synchronised" if view.clock_synchronised else "not synchronised"


def _machine(state: SnapshotView | None) -> str:
    if state is None:
        return ""
    parts = []
    if state.cpu_usage_percent is not None:
        parts.append(f"CPU {state.cpu_usage_percent:.1f} %")
    if state.mem_total_bytes is not None:
        parts.append(f"memory {size(state.mem_used_bytes)} of {size(state.mem_total_bytes)}")
    if state.disk_total_bytes is not None:
        parts.append(f"disk {size(state.disk_used_bytes)} of {size(state.disk_total_bytes)}")
    if state.uptime_secs is not None:
        parts.append(f"up for {duration(state.uptime_secs)}")
    return ", ".join(parts)
