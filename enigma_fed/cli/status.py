"""`enigma-fed status`: how this node is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from enigma_fed.cli import watch
from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command

if TYPE_CHECKING:
    from enigma_fed.daemon.operations import Operations
    from enigma_fed.wire.views import StatusView


@click.command(
    "status",
    cls=Command,
    examples=("enigma-fed status", "enigma-fed status --json", "enigma-fed status --watch --interval 5s"),
)
@watch.options
def status(watching: bool, interval: int) -> None:
    """Say how this node is: the agent, Tor, the peers, and what to do next.

    With --watch a terminal is drawn anew each time; elsewhere each change is a line, with --json the whole
    status. An agent that stops or starts again is told and waited for; Ctrl-C ends it.
    """
    from enigma_fed.cli import output

    here = current()
    if watching:
        watch.watch(here, watch.Subject(_ask, _lines, _facts, _steady), interval)
        return
    with here.operations(mutating=False) as node:
        view = _ask(node)
    if here.json:
        output.data_json(view)
    else:
        output.data("\n".join(_lines(view)))


def _ask(node: Operations) -> StatusView:
    from msgspec.structs import replace

    from enigma_fed.cli import output

    view = node.status()
    return replace(view, next_steps=[output.hint(step) for step in view.next_steps])


def _lines(view: StatusView) -> Sequence[str]:
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import printable
    from enigma_fed.cli.statusshown import details

    return [
        *output.detail_lines(details(view)),
        *(printable(f"Warning: {warning}") for warning in view.warnings),
        *(printable(f"Next: {step}") for step in view.next_steps or ["nothing, all is well."]),
    ]


def _facts(view: StatusView) -> Mapping[str, watch.Fact]:
    """What is told when it changes: how long things last and the gauges of this machine are not."""
    from enigma_fed.cli.statusshown import details

    steady = _steady(view)
    facts = {label: watch.Fact(text, f"{label}: {text}") for label, text in details(steady) if text}
    for kind, said in (("Warning", view.warnings), ("Next", view.next_steps)):
        facts |= {line: watch.Fact(line, line) for line in (f"{kind}: {text}" for text in said)}
    return facts


def _steady(view: StatusView) -> StatusView:
    from msgspec.structs import replace

    return replace(view, uptime_s=None, state=None)
