"""`enigma-fed init`: a new node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command

if TYPE_CHECKING:
    from enigma_fed.daemon.paths import Paths


@click.command("init", cls=Command, examples=("enigma-fed init", "enigma-fed init --name attic"))
@click.option("--name", metavar="NAME", help="What other homes will call this node; else the host's name.")
def init(name: str | None) -> None:
    """Make a new node: its keys, its onion address, its data folder. Nothing is overwritten.

    Keep the two keys (identity/node.key and tor/onion.key in the data folder) safe: they are the node.
    Keep a copy of federation/ with them: it holds the peers, and the node does not start without it.
    """
    from enigma_fed.cli import output, wiring
    from enigma_fed.daemon.init import initialise

    here = current()
    paths = wiring.node_paths(here.flags)
    settings = wiring.node_config(paths).settings
    made = initialise(paths, settings, name=name)
    _warn_of_system_agent(paths)
    if name not in (None, made.name):
        output.talk(
            f"Note: the configuration says {made.name} (node.name), and that is stronger than --name."
        )
    if here.json:
        output.data_json(made)
        return
    output.data(made.did)
    output.advise(
        f"This is {made.name}, a new node, in {made.data_dir}.\n"
        "Next: keep a copy of that folder in a safe place: identity/node.key and tor/onion.key\n"
        "are the node, federation/ is whom it knows, and it does not start without them\n"
        "Next: look whether it can run: enigma-fed doctor\n"
        "Next: start it: enigma-fed run\n"
        "Then invite another home: enigma-fed invite create"
    )


def _warn_of_system_agent(paths: Paths) -> None:
    """Commands without --data-dir speak to the system's node, not to the one made here."""
    from enigma_fed.cli import output
    from enigma_fed.daemon.controlclient import answers
    from enigma_fed.daemon.paths import SYSTEM_CONTROL_SOCKET

    if not paths.is_system and answers(SYSTEM_CONTROL_SOCKET):
        output.talk(
            "Warning: this machine's service runs a node already, so this is a second one. "
            f"Commands reach it with --data-dir {paths.data_dir}"
        )
