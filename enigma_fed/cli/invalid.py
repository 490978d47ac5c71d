"""`enigma-fed doctor --drop-invalid`: the owner lets go of entries that cannot be used here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from enigma_fed.cli.context import current

if TYPE_CHECKING:
    from enigma_fed.wire.views import InvalidView

_SHOWN: Final = 400
"""Characters of one entry."""


def drop() -> int:
    """Show the entries that are not valid here, ask on a terminal, and drop them; raises Declined."""
    from enigma_fed.cli import output
    from enigma_fed.cli.failures import Declined

    here = current()
    with here.opened(mutating=False) as node:
        found = node.invalid()
    if found and not here.json:
        _show(found)
    if found and output.interactive() and not output.confirm("Drop what is shown?"):
        raise Declined("what cannot be used here stays in the files", hint="Nobody is asked or served by it.")
    if found:
        with here.operations(mutating=True) as node:  # the folder is not held while somebody thinks
            found = node.drop_invalid()
    if here.json:
        output.data_json(found)
    elif found:
        output.talk(f"Dropped: {len(found)}. A peer among them can be invited anew.")
    else:
        output.talk("There is nothing to drop: every entry of this node's files is valid.")
    return 0


def _show(found: list[InvalidView]) -> None:
    from enigma_fed.base.log import redact
    from enigma_fed.cli import output

    for entry in found:
        text = redact(entry.text)
        output.details(
            [("File", entry.file), ("Entry", f"{text[:_SHOWN]}{'…' if len(text) > _SHOWN else ''}")]
        )
