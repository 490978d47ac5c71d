"""`enigma-fed id`: who this node is."""

from __future__ import annotations

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command


@click.command("id", cls=Command, examples=("enigma-fed id", "enigma-fed id --json"))
def identity() -> None:
    """Show who this node is: its name, DID, onion address and fingerprint.

    Read the fingerprint aloud to somebody who has your invite, so that they know it is yours.
    """
    from enigma_fed.cli import output

    here = current()
    with here.operations(mutating=False) as node:
        view = node.identity()
    if here.json:
        output.data_json(view)
        return
    output.details(
        [
            ("Name", view.name),
            ("DID", view.did),
            ("Fingerprint", view.fingerprint),
            ("Onion address", view.onion),
            ("Onion for strangers", view.public_onion or ""),
            ("Data folder", view.data_dir),
        ]
    )
