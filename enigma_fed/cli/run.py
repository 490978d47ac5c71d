"""`enigma-fed run`: the agent in the foreground."""

from __future__ import annotations

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command


@click.command("run", cls=Command, examples=("enigma-fed run", "ENIGMA_FED_TOR__MODE=off enigma-fed run"))
def run() -> None:
    """Run the agent in the foreground, until Ctrl-C or SIGTERM.

    On an empty data folder it makes a new node first, and says so. On SIGHUP it reads its
    configuration again.
    """
    from enigma_fed.cli import output, wiring
    from enigma_fed.daemon.lifecycle import run_agent

    here = current()
    paths = wiring.node_paths(here.flags)
    settings = wiring.node_config(paths).settings
    if settings.tor.mode == "off":
        output.talk("Tor is switched off (tor.mode = off): peers cannot be reached.")
    run_agent(settings, paths, lambda: wiring.node_config(wiring.node_paths(here.flags)).settings)
