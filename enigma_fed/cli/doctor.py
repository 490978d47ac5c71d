"""`enigma-fed doctor`: what is wrong with this node, and how to repair it."""

from __future__ import annotations

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command


@click.command("doctor", cls=Command, examples=("enigma-fed doctor", "enigma-fed doctor --json"))
def doctor() -> int:
    """Check this node and say how to repair what is wrong; nothing is changed.

    The exit code is 7 when a store is damaged, 1 when something else is broken; warnings leave it at 0.
    """
    from msgspec.structs import replace

    from enigma_fed.cli import output, wiring
    from enigma_fed.cli.tables import Shape
    from enigma_fed.daemon.doctor import examine, exit_code

    here = current()
    paths = wiring.node_paths(here.flags)
    with output.progress("looking at the node"):
        findings = examine(paths, wiring.node_config(paths).settings)
    findings = [replace(entry, fix=output.hint(entry.fix)) for entry in findings]
    if here.json:
        output.data_json(findings)
    else:
        rows = [(entry.result, entry.check, entry.detail, entry.fix) for entry in findings]
        shape = Shape(flow="FOUND", note="WHAT TO DO")
        columns = ("RESULT", "CHECK", "FOUND", "WHAT TO DO")
        output.table(columns, rows, empty="There was nothing to check.", shape=shape)
    return exit_code(findings)
