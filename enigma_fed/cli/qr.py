"""An invite code as a QR code: drawn in half blocks, or as a PNG or SVG file."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from enigma_fed.base.errors import OperationFailed, UsageError

if TYPE_CHECKING:
    from segno import QRCode

_BORDER: Final = 2
"""Light modules around the code; scanners want some."""
_BLOCKS: Final = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
_BLACK_ON_WHITE: Final = "\x1b[38;5;16;48;5;231m"
_PLAIN: Final = "\x1b[0m"
_SUFFIXES: Final = ("png", "svg")


def _code(text: str) -> QRCode:
    import segno

    return segno.make_qr(text, error="l", boost_error=False)


def width(text: str) -> int:
    """Columns of a terminal that drawing this text needs."""
    columns, _ = _code(text).symbol_size(border=_BORDER)
    return int(columns)


def check_terminal(text: str) -> None:
    """Raises OperationFailed when the code for this text cannot be drawn on this terminal."""
    need, have = width(text), _columns()
    other = "or take --qr-file invite.png"
    if have is not None and have < need:
        why = f"the QR code needs a terminal at least {need} columns wide, this one has {have}"
        raise OperationFailed(why, hint=f"Make the window wider or the letters smaller, {other}.")
    try:
        "█▀▄".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        why = "this terminal has no block characters"
        raise OperationFailed(why, hint=f"Use a UTF-8 terminal, {other}.") from None


def _columns() -> int | None:
    """Width of the terminal, or of the one that COLUMNS speaks of; None for a file or a pipe."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return shutil.get_terminal_size().columns if known else None


def draw(text: str, *, colour: bool) -> str:
    """The code in half blocks, two rows of modules a line; `colour` makes it black on white anywhere."""
    rows = [[bool(module) for module in row] for row in _code(text).matrix_iter(border=_BORDER)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        # Without colours the letters are light on dark: then the light modules are the drawn ones.
        cells = [_BLOCKS[(a == colour, b == colour)] for a, b in zip(upper, lower, strict=True)]
        line = "".join(cells)
        lines.append(f"{_BLACK_ON_WHITE}{line}{_PLAIN}" if colour else line)
    return "\n".join(lines)


def check_file(path: Path) -> None:
    """Raises UsageError or OperationFailed when a code cannot be written under this name."""
    if path.suffix.lower().removeprefix(".") not in _SUFFIXES:
        raise UsageError(f"--qr-file {path} must end with .png or .svg")
    if os.path.lexists(path):
        raise OperationFailed(f"--qr-file {path} exists already", hint="Choose another name.")
    if not path.absolute().parent.is_dir():
        raise OperationFailed(
            f"--qr-file {path}: there is no such folder", hint="Make it, or choose another."
        )


def write_file(text: str, path: Path) -> None:
    """Write the code as PNG or SVG by the name's ending, readable by its owner only; never over a file."""
    check_file(path)
    image = io.BytesIO()
    _code(text).save(image, kind=path.suffix.lower().removeprefix("."), scale=6, border=4)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(image.getvalue())
