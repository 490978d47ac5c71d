"""Which tor is used, and why: the decision behind `tor.mode = "auto"`. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from enigma_fed.base.errors import TorMissing


class TorMode(enum.StrEnum):
    """Whose tor it is, and how it is spoken to."""

    AUTO = "auto"
    MANAGED = "managed"
    """A tor process of our own."""
    SYSTEM = "system"
    """The machine's tor, through its control port."""
    SOCKS = "socks"
    """The owner's tor, through its SOCKS port alone; the onion is made elsewhere."""
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Found:
    """One possibility: whether it can be used, and in words what there is or what is missing."""

    usable: bool
    words: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A mode other than `auto`, and why it is that one."""

    mode: TorMode
    why: str


NOT_LOOKED_FOR = Found(usable=False, words="")
"""What an earlier possibility made needless."""


def choose(
    wanted: str,
    control: Found = NOT_LOOKED_FOR,
    program: Found = NOT_LOOKED_FOR,
    socks: Found = NOT_LOOKED_FOR,
) -> Choice:
    """The mode for `tor.mode`; `auto` takes a control port that lets us in, a program, a SOCKS port.

    Raises TorMissing with what is missing where.
    """
    mode = TorMode(wanted)
    if mode is not TorMode.AUTO:
        return Choice(mode, "tor.mode says so")
    for found, taken in ((control, TorMode.SYSTEM), (program, TorMode.MANAGED), (socks, TorMode.SOCKS)):
        if found.usable:
            return Choice(taken, "; ".join(_words(control, program, socks)))
    raise TorMissing(
        "; ".join(_words(control, program, socks)),
        hint="On Debian, Ubuntu and Raspberry Pi OS `sudo apt install tor` installs it.",
    )


def _words(*found: Found) -> list[str]:
    return [each.words for each in found if each.words]
