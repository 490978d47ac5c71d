"""`enigma-fed doctor`: what is wrong with this node, and how to repair it."""

from __future__ import annotations

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command


@click.command("doctor", cls=Command, examples=("enigma-fed doctor", "enigma-fed doctor --json"))
def doctor() -> int:
    """Check this node and say how to repair what is wrong; nothing is changed.

    The exit code is 1 when something is broken; warnings leave it at 0.
    """
    from enigma_fed.cli import output, wiring
    from enigma_fed.daemon.doctor import examine

    here = current()
    paths = wiring.node_paths(here.flags)
    with output.progress("looking at the node"):
        findings = examine(paths, wiring.node_config(paths).settings)
    if here.json:
        output.data_json(findings)
    else:
        rows = [(entry.result, entry.check, entry.detail, entry.fix) for entry in findings]
        output.table(("RESULT", "CHECK", "FOUND", "WHAT TO DO"), rows, empty="There was nothing to check.")
    return 1 if any(entry.result == "failure" for entry in findings) else 0
