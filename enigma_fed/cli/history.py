"""`enigma-fed peer history`: how a home was over the last day or month."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Final

import click

from enigma_fed.base.errors import UsageError
from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command
from enigma_fed.cli.types import parse_ago

if TYPE_CHECKING:
    from enigma_fed.wire.historyview import HistoryView

_RESOLUTIONS: Final = {"5m": 300, "1h": 3600}
_DAY: Final = 86400
_SHORTEST: Final = 16
"""Marks of a line on a narrow terminal; further columns give way then."""
_SPARE: Final = ("LEAST", "MOST", "MEAN")


def _read_since(ctx: click.Context, param: click.Parameter, value: str) -> int:
    try:
        seconds = parse_ago(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    if seconds > 30 * _DAY:
        raise click.BadParameter(f"{value!r} is too long: at most 30d", ctx, param)
    if seconds < _RESOLUTIONS["5m"]:
        raise click.BadParameter(
            f"{value!r} is too short: at least 5m, in a form like 24h, 30m, 7d", ctx, param
        )
    return seconds


@click.command(
    "history",
    cls=Command,
    examples=(
        "enigma-fed peer history attic",
        "enigma-fed peer history attic --since 30d --csv > attic.csv",
        "enigma-fed peer history --self",
    ),
)
@click.argument("ref", metavar="[PEER]", required=False)
@click.option("--self", "own", is_flag=True, help="Of this node itself.")
@click.option(
    "--since",
    metavar="TIME",
    default="24h",
    show_default=True,
    callback=_read_since,
    help="How far back, up to 30d.",
)
@click.option(
    "--resolution",
    type=click.Choice(list(_RESOLUTIONS)),
    help="5m, kept for a day, or 1h, kept for 30 days; by default the finer one that goes back so far.",
)
@click.option(
    "--csv", "as_csv", is_flag=True, help="Every step on a line of its own, as CSV with times in UTC."
)
def history(ref: str | None, own: bool, since: int, resolution: str | None, as_csv: bool) -> None:
    """Show how PEER was over the last day or month.

    Whether it was heard, its CPU, memory, disk and running apps.
    The agent keeps it while it runs: means of what was heard, in steps of five minutes for a day and of an
    hour for 30 days. A line of blocks ends now; it is blank where the peer was not heard, or this node's
    agent did not run. LAST is the newest step in which the peer was heard, at the time beside it.
    """
    from enigma_fed.cli import output

    here = current()
    if own == (ref is not None):
        raise UsageError("name a PEER, or --self", hint="Like: enigma-fed peer history --self")
    if as_csv and here.json:
        raise UsageError("--csv and --json are two forms of the same; take one")
    step = _RESOLUTIONS[resolution] if resolution else (300 if since <= _DAY else 3600)
    with here.operations(mutating=False) as node, output.progress("reading the history"):
        found = node.history(ref, step, since)
    if here.json:
        output.data_json(found)
    else:
        _show(found, since, as_csv=as_csv, own=own)


def _show(found: HistoryView, since: int, *, as_csv: bool, own: bool) -> None:
    from enigma_fed.cli import historyshown, output
    from enigma_fed.cli.humane import printable
    from enigma_fed.cli.tables import Shape

    if found.problem:
        output.advise(f"Warning: {found.problem}")
    if as_csv:
        output.whole_text(historyshown.csv_text(found))
    elif found.points:
        output.data(printable(historyshown.title(found)))
        output.data(historyshown.notes(found))
        width = historyshown.WIDEST
        if output.at_a_terminal():
            room = shutil.get_terminal_size().columns - historyshown.BESIDE
            width = max(_SHORTEST, min(width, room))
        lines = historyshown.rows(found, _marks(), width)
        output.table(historyshown.COLUMNS, lines, empty="", shape=Shape(spare=_SPARE))
    if not found.points:
        output.advise(_why_empty(found, since, own=own))


def _marks() -> str:
    """The blocks, or letters where standard output has no such characters."""
    from enigma_fed.cli.historyshown import ASCII, BLOCKS

    try:
        BLOCKS.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return ASCII
    return BLOCKS


def _why_empty(found: HistoryView, since: int, *, own: bool) -> str:
    from enigma_fed.cli.humane import duration, printable

    last = f"in the last {duration(since)}"
    if own:
        return f"There is no history: this node's agent did not run {last}. Start it: enigma-fed run"
    text = (
        f"There is no history: the agent heard nothing of {printable(found.name)} {last}, or did not run. "
        f"See how it is: enigma-fed peer show {found.did}"
    )
    if since < 30 * _DAY:
        text += f"\nLonger ago: enigma-fed peer history {found.did} --since 30d"
    return text
