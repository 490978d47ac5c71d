"""`enigma-fed logs`: the agent's log file."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command

_LOOK_AGAIN: Final = 0.5
"""Seconds between two looks at the file while following it."""


@click.command("logs", cls=Command, examples=("enigma-fed logs --lines 20", "enigma-fed logs --follow"))
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
def logs(follow: bool, lines: int) -> None:
    """Show the agent's log.

    With --json a line is a JSON text: an array of them, or one a line with --follow.
    """
    from enigma_fed.cli import output, wiring
    from enigma_fed.cli.humane import printable

    here = current()
    path = wiring.node_paths(here.flags).log_file
    if not path.exists():
        output.advise(f"There is no log yet: {path} is written by the agent (enigma-fed run).")
    if here.json and not follow:
        output.data_json(tail(path, lines))
        return
    found = followed(path, lines, lambda: time.sleep(_LOOK_AGAIN)) if follow else tail(path, lines)
    for line in found:
        if here.json:
            output.data_json(line)
        else:
            output.data(printable(line))


def tail(path: Path, count: int) -> list[str]:
    """The last lines of the file; none when there is no file."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, maxlen=count)]
    except FileNotFoundError:
        return []


def followed(path: Path, count: int, pause: Callable[[], None]) -> Generator[str]:
    """The last lines and every new one, also of a file that takes this one's place; `pause` between looks."""
    with _opened(path) as file:
        last = deque(_rest(file), maxlen=count + 1)
        part = last.pop() if last and not last[-1].endswith("\n") else ""
        yield from (line.rstrip("\n") for line in list(last)[-count:] if count)
        yield from _growing(file, path, part, pause)
    while True:
        with _opened(path) as file:
            yield from _growing(file, path, "", pause)


def _growing(file: TextIO | None, path: Path, part: str, pause: Callable[[], None]) -> Iterator[str]:
    """Whole lines as they are written, until another file has the name; `part` is a line without its end."""
    while True:
        for chunk in _rest(file):
            part += chunk
            if part.endswith("\n"):
                yield part.rstrip("\n")
                part = ""
        if _replaced(file, path):
            return
        pause()


def _rest(file: TextIO | None) -> Iterator[str]:
    """What the file has from here to its present end, line by line; the last may lack its end."""
    return iter(file.readline, "") if file is not None else iter(())


@contextmanager
def _opened(path: Path) -> Iterator[TextIO | None]:
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        yield None
        return
    with file:
        yield file


def _replaced(file: TextIO | None, path: Path) -> bool:
    """Whether the name now belongs to another file, as after a rotation."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return file is None or not os.path.samestat(found, os.fstat(file.fileno()))
