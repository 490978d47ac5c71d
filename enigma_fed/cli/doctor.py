"""`enigma-fed doctor`: what is wrong with this node, and how to repair it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from enigma_fed.base.errors import ConfigError, UsageError
from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command

if TYPE_CHECKING:
    from enigma_fed.config import Settings
    from enigma_fed.daemon.paths import Paths
    from enigma_fed.wire.views import Finding


@click.command(
    "doctor",
    cls=Command,
    examples=(
        "enigma-fed doctor",
        "enigma-fed doctor --json",
        "enigma-fed doctor --accept-recovered",
        "enigma-fed doctor --drop-invalid",
    ),
)
@click.option(
    "--accept-recovered",
    is_flag=True,
    help="Take for right what the copy of a damaged file holds: joins and installs go on.",
)
@click.option(
    "--drop-invalid",
    is_flag=True,
    help="Take the entries that cannot be used here out of nodes.json and invites.json.",
)
def doctor(accept_recovered: bool, drop_invalid: bool) -> int:
    """Check this node and say how to repair what is wrong; nothing is changed.

    Each finding says what it is, why it matters and what to do. The exit code is 7 when a store is damaged,
    1 when something else is broken; warnings leave it at 0.

    Of this machine's service, which commands without --data-dir speak to, it checks what its agent tells,
    and says how to check its files.

    After a damaged file was replaced by its copy, --accept-recovered shows what the copy holds and asks;
    open invites are revoked with it, because their codes may have been used before.

    --drop-invalid shows the entries that this version cannot use, asks, and drops them. They are shown
    without what is secret in them; with --json they are printed whole.
    """
    if accept_recovered and drop_invalid:
        raise UsageError(
            "--accept-recovered and --drop-invalid are two decisions", hint="Take one, then the other."
        )
    if accept_recovered:
        from enigma_fed.cli.recovered import accept

        return accept()
    if drop_invalid:
        from enigma_fed.cli.invalid import drop

        return drop()
    from msgspec.structs import replace

    from enigma_fed.cli import output, wiring
    from enigma_fed.cli.tables import Shape
    from enigma_fed.daemon.doctor import examine, examine_service, exit_code
    from enigma_fed.daemon.operations import is_of_the_service

    here = current()
    paths = wiring.node_paths(here.flags)
    with output.progress("looking at the node"):
        settings, error = _settings(paths)
        look = examine_service if is_of_the_service(paths) else examine
        findings = look(paths, settings, config_error=error)
    findings = [replace(entry, fix=output.hint(entry.fix)) for entry in findings]
    if here.json:
        output.data_json(findings)
    else:
        rows = [(entry.result, entry.check, entry.detail, _note(entry)) for entry in findings]
        shape = Shape(flow="FOUND", note="WHY, AND WHAT TO DO")
        columns = ("RESULT", "CHECK", "FOUND", "WHY, AND WHAT TO DO")
        output.table(columns, rows, empty="There was nothing to check.", shape=shape)
    return exit_code(findings)


def _settings(paths: Paths) -> tuple[Settings, ConfigError | None]:
    """The node's settings, or the defaults with why its configuration cannot be used."""
    from enigma_fed.cli import wiring
    from enigma_fed.config import Settings

    try:
        return wiring.node_config(paths).settings, None
    except ConfigError as error:
        return Settings(), error


def _note(entry: Finding) -> str:
    return " ".join(part for part in (entry.why, entry.fix) if part)
