"""`enigma-fed logs`: the agent's log file."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command

if TYPE_CHECKING:
    from enigma_fed.daemon.paths import Paths

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
def logs(follow: bool, lines: int, since: str | None, level: str) -> int:
    """Show the agent's log.

    Keys, tokens and codes are blotted out in it, onion names shortened. What is kept at all is the setting
    log.level. With --json a line is an object (time, level, logger, message): an array of them, or one a line
    with --follow. The log of this machine's service, which commands without --data-dir speak to, is the
    journal: see `enigma-fed service logs`.
    """
    from enigma_fed.cli import wiring
    from enigma_fed.daemon.operations import is_of_the_service

    earliest = _earliest(since)
    paths = wiring.node_paths(current().flags)
    if is_of_the_service(paths):
        return _journal(follow, lines, chosen=since is not None or level != "debug")
    _file(paths, follow, lines, earliest, level)
    return 0


def _journal(follow: bool, lines: int, *, chosen: bool) -> int:
    """What `service logs` shows; `chosen` says that only some lines are wanted, which needs the file."""
    from enigma_fed.base.errors import UsageError
    from enigma_fed.cli.service import logs as journal
    from enigma_fed.daemon.paths import AS_THE_SERVICE

    if chosen:
        why = "--since and --level are for a log file, which only the service itself may read"
        raise UsageError(why, hint=f"Begin with: {AS_THE_SERVICE} logs")
    code: int = click.get_current_context().invoke(journal, scope="system", follow=follow, lines=lines)
    return code


def _file(paths: Paths, follow: bool, lines: int, earliest: str, level: str) -> None:
    from enigma_fed.cli import output
    from enigma_fed.cli.loglines import followed, parse, tail

    here = current()
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
    if not shown and path.exists() and (earliest or level != "debug"):
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
