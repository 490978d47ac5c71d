"""Where words go: data on standard output, all other talk on standard error."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from typing import Final

import click
import msgspec

from enigma_fed.cli import tables
from enigma_fed.cli.groups import global_value
from enigma_fed.cli.humane import duration, printable, printable_json, printable_lines
from enigma_fed.cli.tables import Shape

PATIENCE: Final = 1.5
"""Seconds without a word before progress is shown."""
REMIND: Final = 8.5
"""Seconds from the first line of progress to the second, and between all later ones at a terminal."""
_REMIND_A_FILE: Final = 30.0
"""Seconds between the later ones elsewhere, in a log for example."""
_DRAWN: Final = "enigma_fed.cli.drawn"
_ANY_SHAPE: Final = Shape()


def data(text: str) -> None:
    """One line or block of data on standard output; nothing in it can steer the terminal."""
    click.echo(printable_lines(text))


def as_it_is(text: str) -> None:
    """A block of our own making on standard output, colours and tabs included: never a peer's words."""
    click.echo(text)


def whole_text(text: str) -> None:
    """Text with line ends of its own on standard output; who made it took out what steers a terminal."""
    click.echo(text, nl=False)


def data_json(value: object) -> None:
    """A view, or a list of views, as one line of JSON on standard output that cannot steer a terminal."""
    click.echo(printable_json(msgspec.json.encode(value).decode("utf-8")))


def talk(text: str) -> None:
    """A sentence for the person on standard error; nothing in it can steer the terminal."""
    click.echo(printable_lines(text), err=True)


def advise(text: str) -> None:
    """A sentence with commands to type next: `talk` of `hint`."""
    talk(hint(text))


def hint(text: str) -> str:
    """The text with the `--config` and `--data-dir` of the running command in the commands it names."""
    from enigma_fed.cli.hints import with_flags

    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return text
    config, data_dir = global_value(ctx, "config"), global_value(ctx, "data_dir")
    return with_flags(
        text,
        config=None if config is None else str(config),
        data_dir=None if data_dir is None else str(data_dir),
    )


def interactive() -> bool:
    """Whether somebody can answer a question: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def at_a_terminal() -> bool:
    """Whether somebody reads along: standard output is a terminal."""
    return sys.stdout.isatty()


def confirm(question: str) -> bool:
    """Ask yes or no on standard error; no is the default."""
    return click.confirm(printable(question), default=False, err=True)


@contextmanager
def progress(text: str, hanging: Callable[[], str] = str) -> Iterator[None]:
    """Say on standard error what is waited for, once it takes longer than a moment, and again and again.

    From the second time on, after 10 s, what `hanging` knows is said with it. A drawn screen says it itself.
    """
    ctx = click.get_current_context(silent=True)
    meta = {} if ctx is None else ctx.meta
    if meta.get(_DRAWN):
        yield
        return
    done = threading.Event()

    def remind() -> None:
        started = time.monotonic()
        more: Callable[[], str] = str
        for wait in _waits():
            if done.wait(wait):
                return
            parts = (f"{text} ({duration(time.monotonic() - started)}) …", more())
            if not done.is_set() and not meta.get(_DRAWN):
                talk(" ".join(filter(None, parts)))
            more = hanging

    thread = threading.Thread(target=remind, daemon=True, name="progress")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _waits() -> Iterator[float]:
    """Pauses before each line of progress."""
    yield from (PATIENCE, REMIND)
    yield from repeat(REMIND if sys.stderr.isatty() else _REMIND_A_FILE)


@contextmanager
def drawn() -> Iterator[None]:
    """While something is drawn that moves, `progress` keeps silent."""
    ctx = click.get_current_context(silent=True)
    meta = {} if ctx is None else ctx.meta
    before = meta.get(_DRAWN, False)
    meta[_DRAWN] = True
    try:
        yield
    finally:
        meta[_DRAWN] = before


@contextmanager
def screen() -> Iterator[Callable[[Sequence[str]], None]]:
    """A way to draw lines again and again in the same place of the terminal; the last ones stay."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    ctx = click.get_current_context(silent=True)
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:

        def draw(lines: Sequence[str]) -> None:
            live.update(Text("\n".join(map(printable, lines))), refresh=True)
            if ctx is not None:
                ctx.meta[_DRAWN] = True

        yield draw


def details(pairs: Sequence[tuple[str, str]]) -> None:
    """Labelled values, one per line; a pair with an empty value is left out."""
    data("\n".join(detail_lines(pairs)))


def detail_lines(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The lines of `details`; a value without a label goes on with the one above."""
    width = max(len(label) for label, _ in pairs) + 2
    return [f"{label + ':' if label else '':<{width}}{printable(value)}" for label, value in pairs if value]


def draws_bars() -> bool:
    """Whether standard output is a terminal that has the characters for bars."""
    return at_a_terminal() and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str, shape: Shape = _ANY_SHAPE
) -> None:
    """A table on standard output, `shape` for a terminal; `empty` is advised when there are no rows."""
    if not rows:
        advise(empty)
        return
    clean = [[printable(cell) for cell in row] for row in rows]
    if at_a_terminal():
        _print_fitted(fitted(columns, clean, shape))
    else:
        data("\n".join(tables.plain(columns, clean)))


def fitted(columns: Sequence[str], rows: Sequence[Sequence[str]], shape: Shape) -> list[str]:
    """The lines of a table that fits this terminal, the head first."""
    from rich.cells import cell_len

    clean = [[printable(cell) for cell in row] for row in rows]
    return tables.fitted(columns, clean, shape, shutil.get_terminal_size().columns, cell_len)


def _print_fitted(found: Sequence[str]) -> None:
    from rich.console import Console
    from rich.text import Text

    head, *lines = found
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    console.print(Text(head, style="bold"), soft_wrap=True)
    for line in lines:
        console.print(Text(line), soft_wrap=True)
