"""Where an invite code comes from, and what it says before anything is done with it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from enigma_fed.base import limits
from enigma_fed.base.errors import InviteTampered, InviteTooLarge, UsageError

if TYPE_CHECKING:
    from enigma_fed.wire.views import InvitePreview

_READ: Final = 2 * limits.INVITE_BYTES
"""Characters read at most; base64url makes 4 of 3, the rest is room for line ends."""
_QUIET: Final = 0.2
"""Seconds without a character that end a paste."""


def read_code(argument: str | None, file: str | None) -> str:
    """The code from the argument, `-` (standard input), a file or a prompt.

    Raises UsageError, InviteTooLarge.
    """
    if argument is not None and file is not None:
        raise UsageError("give the code as an argument or with --file, not both")
    if file is not None:
        return _bounded(_read_file(Path(file)))
    if argument == "-":
        return _bounded(sys.stdin.read(_READ + 1))
    if argument is not None:
        _warn_of_history()
        return _bounded(argument)
    return _bounded(_ask())


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_READ + 1).decode("ascii", errors="replace")
    except OSError as error:
        raise UsageError(f"--file {path}: {error.strerror}") from None


def _warn_of_history() -> None:
    from enigma_fed.cli import output

    output.talk(
        "Note: a code given as an argument stays in your shell's history and shows in the process list. "
        "Give it with --file, on standard input (-), or at the prompt."
    )


def _ask() -> str:
    import click

    from enigma_fed.cli import output

    if not output.interactive():
        raise UsageError(
            "no code was given", hint="Give it as an argument, with --file, or on standard input (-)."
        )
    text: str = click.prompt("Invite code (fed1:…)", err=True)
    return text + _rest_of_paste() if sys.stdin.isatty() else text


def _rest_of_paste() -> str:
    """Further lines of a code that was pasted in pieces: left alone, they would go to the shell."""
    from enigma_fed.cli import output

    rest = drain(sys.stdin.fileno())
    if rest and not rest.endswith("\n"):
        output.talk("")  # ends the line in which the terminal shows it
    return rest


def drain(terminal: int) -> str:
    """What waits at the terminal until it is quiet, a line without its end too; no more than a code has."""
    import select
    import termios

    before = termios.tcgetattr(terminal)
    by_character = [*before[:3], before[3] & ~termios.ICANON, *before[4:]]
    parts: list[bytes] = []
    termios.tcsetattr(terminal, termios.TCSANOW, by_character)
    try:
        while sum(map(len, parts)) <= _READ and select.select([terminal], [], [], _QUIET)[0]:
            part = os.read(terminal, _READ)
            if not part:
                break
            parts.append(part)
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
    return b"".join(parts).decode("ascii", errors="replace")


def _bounded(text: str) -> str:
    """The code without the white space that mail and chat put into it."""
    if len(text) > _READ:
        raise InviteTooLarge(f"it has more than {_READ} characters")
    return "".join(text.split())


def preview(code: str) -> InvitePreview:
    """What the code says; raises InviteMalformed, InviteTooLarge, InviteTampered (its signature fails)."""
    from enigma_fed.identity import signing
    from enigma_fed.wire import invite as wire
    from enigma_fed.wire.viewbuild import invite_preview

    found = wire.decode(code)
    signed = found.signature is not None
    if found.signature is not None and not signing.verify(
        found.did.public_key, found.signed_bytes, found.signature
    ):
        raise InviteTampered(
            "its signature does not hold", hint="Ask for the code again, and copy all of it."
        )
    return invite_preview(found, signed=signed, now=time.time())
