"""Where words go: data on standard output, all other talk on standard error."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import click
import msgspec

from enigma_fed.cli.humane import duration, printable

PATIENCE: Final = 1.5
"""Seconds without a word before progress is shown."""
_REMIND: Final = 10.0
"""Seconds between two lines of progress."""
_WIDE: Final = frozenset({"NAME", "HOME", "PROBLEM", "CHECK", "FOUND", "WHAT TO DO"})
"""Columns that take a second line on a narrow terminal."""


def data(text: str) -> None:
    """One line or block of data on standard output."""
    click.echo(text)


def data_json(value: object) -> None:
    """A view, or a list of views, as one line of JSON on standard output."""
    click.echo(msgspec.json.encode(value).decode("utf-8"))


def talk(text: str) -> None:
    """A sentence for the person on standard error."""
    click.echo(text, err=True)


def interactive() -> bool:
    """Whether somebody can answer a question: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str) -> bool:
    """Ask yes or no on standard error; no is the default."""
    return click.confirm(question, default=False, err=True)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Say on standard error what is waited for, once it takes longer than a moment, and then every 10 s."""
    done = threading.Event()

    def remind() -> None:
        started = time.monotonic()
        wait = PATIENCE
        while not done.wait(wait):
            talk(f"{text} ({duration(time.monotonic() - started)}) …")
            wait = _REMIND

    thread = threading.Thread(target=remind, daemon=True, name="progress")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def details(pairs: Sequence[tuple[str, str]]) -> None:
    """Labelled values, one per line; a pair with an empty value is left out."""
    width = max(len(label) for label, _ in pairs) + 2
    for label, value in pairs:
        if value:
            data(f"{label + ':':<{width}}{printable(value)}")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """A table on standard output; `empty` is said on standard error when there are no rows."""
    if not rows:
        talk(empty)
        return
    clean = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(columns, clean)
    else:
        _plain_table(columns, clean)


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        data("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold", no_wrap=column not in _WIDE)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console(file=sys.stdout, highlight=False, markup=False, emoji=False).print(drawn)
