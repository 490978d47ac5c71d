"""`enigma-fed demo`: homes that federate on one machine, on a private Tor network."""

from __future__ import annotations

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command
from enigma_fed.demo import NODES_MAX


@click.command("demo", cls=Command, examples=("enigma-fed demo", "enigma-fed demo --nodes 2 --keep"))
@click.option(
    "--nodes",
    type=click.IntRange(2, NODES_MAX),
    metavar="N",
    default=3,
    show_default=True,
    help="How many homes.",
)
@click.option("--keep", is_flag=True, help="Stay up until Ctrl-C and print commands to try.")
def demo(nodes: int, keep: bool) -> int:
    """See homes federate: a private Tor network on this machine, an agent for each home, invites, joins.

    Needs no internet and leaves nothing behind. It takes about a minute, at most five. With --json
    the last line is an object of all pairs. The exit code is 0 only when every home has the state of
    every other one.
    """
    import asyncio

    from enigma_fed.demo.run import run_demo

    return asyncio.run(run_demo(nodes, keep, current().json))
