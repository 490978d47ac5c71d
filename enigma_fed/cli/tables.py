"""Tables as lines of text: whole words always, and what has no room moved or left out. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_GAP: Final = "  "
_NARROWEST: Final = 8
"""Columns that the flowing column gets at least."""

Length = Callable[[str], int]
"""Columns of a terminal that a text takes."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table gives way on a narrow terminal."""

    flow: str = ""
    """The column that takes more lines, word by word."""
    note: str = ""
    """The column whose texts stand below their rows."""
    spare: tuple[str, ...] = ()
    """Columns that are left out when there is no room, the first one first."""


def plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Every column and one line a row, as wide as it gets: for files and other programs."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    return [
        _GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def fitted(
    columns: Sequence[str], rows: Sequence[Sequence[str]], shape: Shape, width: int, length: Length = len
) -> list[str]:
    """The table within `width` columns of a terminal; the first line is the head."""
    table = {name: [row[i] for row in rows] for i, name in enumerate(columns)}
    notes = table.pop(shape.note, [""] * len(rows))
    for name in shape.spare:
        if _least(table, shape.flow, length) > width:
            table.pop(name, None)
    widths = _widths(table, shape.flow, width, length)
    lines = list(_lines(list(table), widths, length))
    for i, note in enumerate(notes):
        lines += _lines([cells[i] for cells in table.values()], widths, length)
        lines += textwrap.wrap(
            note,
            width,
            initial_indent=_GAP,
            subsequent_indent=_GAP,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def _least(table: dict[str, list[str]], flow: str, length: Length) -> int:
    """The narrowest that the table can be without a word cut."""
    return sum(
        max(length(part) for cell in (name, *cells) for part in (cell.split() if name == flow else [cell]))
        for name, cells in table.items()
    ) + len(_GAP) * (len(table) - 1)


def _widths(table: dict[str, list[str]], flow: str, width: int, length: Length) -> list[int]:
    whole = {name: max(map(length, (name, *cells))) for name, cells in table.items()}
    if flow in whole:
        others = sum(whole.values()) - whole[flow] + len(_GAP) * (len(whole) - 1)
        whole[flow] = min(whole[flow], max(_NARROWEST, width - others))
    return list(whole.values())


def _lines(cells: Sequence[str], widths: Sequence[int], length: Length) -> Iterator[str]:
    """One row, as many lines as its longest cell takes."""
    wrapped = [list(_wrapped(cell, width, length)) for cell, width in zip(cells, widths, strict=True)]
    for i in range(max(map(len, wrapped))):
        parts = (cell[i] if i < len(cell) else "" for cell in wrapped)
        padded = (part + " " * (width - length(part)) for part, width in zip(parts, widths, strict=True))
        yield _GAP.join(padded).rstrip()


def _wrapped(text: str, width: int, length: Length) -> Iterator[str]:
    """Lines of whole words; a word that is too long for a line ends in "…"."""
    if length(text) <= width:
        yield text
        return
    line = ""
    for word in (_shortened(word, width, length) for word in text.split()):
        if line and length(f"{line} {word}") > width:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
    yield line


def _shortened(word: str, width: int, length: Length) -> str:
    if length(word) <= width:
        return word
    while word and length(word) >= width:
        word = word[:-1]
    return f"{word}…"
