"""`enigma-fed logs`: the agent's log file."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command

_LOOK_AGAIN: Final = 0.5
"""Seconds between two looks at the file while following it."""


@click.command(
    "logs",
    cls=Command,
    examples=(
        "enigma-fed logs --lines 20",
        "enigma-fed logs --follow",
        "enigma-fed logs --since 2h --level warning",
    ),
)
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(0, 100_000),
    metavar="N",
    default=50,
    show_default=True,
    help="Last lines to show.",
)
@click.option(
    "--since", metavar="TIME", help="Only lines since then: 30m, 24h, 7d ago, or 2026-11-20T08:49:00Z."
)
@click.option(
    "--level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="debug",
    show_default=True,
    help="Only lines that are at least so important.",
)
def logs(follow: bool, lines: int, since: str | None, level: str) -> None:
    """Show the agent's log.

    Keys, tokens and codes are blotted out in it, onion names shortened. What is kept at all is the setting
    log.level. With --json a line is an object (time, level, logger, message): an array of them, or one a line
    with --follow.
    """
    from enigma_fed.cli import output, wiring
    from enigma_fed.cli.loglines import followed, parse, tail

    here = current()
    earliest = _earliest(since)
    paths = wiring.node_paths(here.flags)
    path = paths.log_file
    if not path.exists():
        output.advise(f"There is no log yet: {path} is written by the agent (enigma-fed run).")
        if not paths.explicit:
            output.advise("What the service of this machine wrote: enigma-fed service logs")

    def wanted(line: str) -> bool:
        return parse(line).passes(earliest, level)

    if here.json and not follow:
        output.data_json([parse(line) for line in tail(path, lines, wanted)])
        return
    pause = partial(time.sleep, _LOOK_AGAIN)
    found = followed(path, lines, pause, wanted) if follow else tail(path, lines, wanted)
    shown = False
    for line in found:
        shown = True
        if here.json:
            output.data_json(parse(line))
        else:
            output.data(line)
    if not shown and path.exists() and (since is not None or level != "debug"):
        output.talk("No line of the log is of that time and importance.")


def _earliest(since: str | None) -> str:
    """RFC 3339 text in UTC, which sorts like the times of the log; "" without a bound. Raises UsageError."""
    from enigma_fed.base.errors import UsageError, WireError
    from enigma_fed.cli.types import parse_ago
    from enigma_fed.wire import timestamps

    if since is None:
        return ""
    try:
        return timestamps.to_text(max(0, int(time.time()) - parse_ago(since)))
    except ValueError:
        pass
    try:
        return timestamps.to_text(timestamps.from_text(since))
    except WireError:
        raise UsageError(
            f"--since {since!r} is no time", hint="Say 30m, 24h, 7d, or 2026-11-20T08:49:00Z."
        ) from None
