"""`enigma-fed doctor --accept-recovered`: the owner decides about what came from a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from enigma_fed.cli.context import current

if TYPE_CHECKING:
    from enigma_fed.wire.views import RecoveryView


def accept() -> int:
    """Show what was recovered, ask on a terminal, and end the degraded mode; raises Declined."""
    from enigma_fed.cli import output
    from enigma_fed.cli.failures import Declined

    here = current()
    with here.opened(mutating=False) as node:
        found = node.recoveries()
    if found and not here.json:
        _show(found)
    if found and output.interactive() and not output.confirm("Is that what this node should go on with?"):
        raise Declined("what was recovered is not accepted", hint="See: enigma-fed peer list")
    if found:
        with here.opened(mutating=True) as node:  # the folder is not held while somebody thinks
            found = node.accept_recovered()
    if here.json:
        output.data_json(found)
    elif found:
        revoked = found[0].invites_open
        words = "1 open invite was" if revoked == 1 else f"{revoked} open invites were"
        void = f" {words} revoked: make new ones." if revoked else ""
        output.talk(f"Accepted: joins and installs go on.{void}")
        output.advise("Next: see whether nobody is missing: enigma-fed peer list")
    else:
        output.talk("Nothing was recovered: the files of this node are sound.")
    return 0


def _show(found: list[RecoveryView]) -> None:
    from enigma_fed.cli import output

    for entry in found:
        output.details(
            [
                ("File", entry.file),
                ("Damage", entry.why),
                ("Kept as", entry.kept_as or ""),
                ("Recovered", entry.recovered_at or "not written down yet"),
                ("Copy", f"rev {entry.rev}, its newest entry of {entry.newest}"),
            ]
        )
    one = found[0]
    output.details(
        [
            ("Peers", str(one.peers)),
            ("Removed peers", str(one.removed)),
            ("Open invites", f"{one.invites_open}{' (revoked when you accept)' if one.invites_open else ''}"),
            ("Joins under way", str(one.joins_open)),
        ]
    )
