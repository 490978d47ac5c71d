"""Commands in hints: what is printed to be typed next speaks to the node that was spoken to. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from enigma_fed.cli.main import COMMANDS, PROGRAM

_TYPED: Final = re.compile(rf"\b{PROGRAM} (?=(?:--json )?(?:{'|'.join(COMMANDS)})\b)(?![^`]*--help)")


def with_flags(text: str, *, config: str | None, data_dir: str | None) -> str:
    """The text with these flags, where given, in every command of ours in it."""
    if "--config" in text:
        config = None  # it names the file itself
    flags = ((name, value) for name, value in (("--config", config), ("--data-dir", data_dir)) if value)
    typed = " ".join([PROGRAM, *(f"{name} {shlex.quote(value)}" for name, value in flags)])
    return _TYPED.sub(lambda _: f"{typed} ", text)


def given(words: Sequence[str], flag: str) -> str | None:
    """The value of a global flag on a line, the last one, also when the line could not be parsed."""
    options = list(words[: words.index("--")] if "--" in words else words)
    value = None
    for word, following in zip_longest(options, options[1:]):
        if word == flag:
            value = following
        elif word.startswith(f"{flag}="):
            value = word.partition("=")[2]
    return value
