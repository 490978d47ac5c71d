"""`enigma-fed status`: how this node is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command

if TYPE_CHECKING:
    from enigma_fed.wire.views import SnapshotView, StatusView, TorView


@click.command("status", cls=Command, examples=("enigma-fed status", "enigma-fed status --json"))
def status() -> None:
    """Say how this node is: the agent, Tor, the peers, and what to do next."""
    from msgspec.structs import replace

    from enigma_fed.cli import output

    here = current()
    with here.operations(mutating=False) as node:
        view = node.status()
    view = replace(view, next_steps=[output.hint(step) for step in view.next_steps])
    if here.json:
        output.data_json(view)
        return
    _show(view)


def _show(view: StatusView) -> None:
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import printable

    output.details(
        [
            ("Node", f"{view.node.name} ({view.node.did})"),
            ("Onion address", view.node.onion),
            ("Data folder", view.node.data_dir),
            ("Agent", _agent(view)),
            ("Listens on", view.listen or ""),
            ("Health and metrics", f"http://{view.admin}/metrics" if view.admin else ""),
            ("Tor", _tor(view.tor)),
            ("Which tor", _which_tor(view.tor)),
            ("Limits", f"per {', '.join(view.limited_by)}" if view.limited_by else ""),
            ("Peers", _peers(view.peers)),
            ("Invites", f"{view.invites_open} open, {view.joins_waiting} waiting for you or for an answer"),
            ("Clock", _clock(view)),
            ("Machine", _machine(view.state)),
        ]
    )
    for warning in view.warnings:
        output.data(printable(f"Warning: {warning}"))
    for step in view.next_steps:
        output.data(printable(f"Next: {step}"))
    if not view.next_steps:
        output.data("Next: nothing, all is well.")


def _agent(view: StatusView) -> str:
    from enigma_fed.cli.humane import duration

    if not view.running:
        return "not running"
    since = f", up for {duration(view.uptime_s)}" if view.uptime_s is not None else ""
    return f"running (process {view.pid}){since}"


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


def _peers(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{count} {liveness}" for liveness, count in counts.items() if count)
    return shown or "none yet"


def _clock(view: StatusView) -> str:
    if view.clock_synchronised is None:
        return ""
    return "synchronised" if view.clock_synchronised else "not synchronised"


def _machine(state: SnapshotView | None) -> str:
    from enigma_fed.cli.humane import duration, size

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
