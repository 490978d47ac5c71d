"""The unit files, filled in for this machine; they travel in the wheel as `enigma_fed/systemd`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from enigma_fed.base.errors import UsageError

UNIT: Final = "enigma-fed.service"
SYSUSERS: Final = "enigma-fed.sysusers.conf"
REGISTRY_UNIT: Final = "enigma-fed-registry.service"
REGISTRY_SYSUSERS: Final = "enigma-fed-registry.sysusers.conf"
USER_UNIT: Final = f"user/{UNIT}"
TOR_COOKIE: Final = f"{UNIT}.d/tor-cookie.conf"
RESTART_STEPS: Final = f"{UNIT}.d/restart-steps.conf"
STEPS_SINCE: Final = 254
"""The version of systemd that knows `RestartSteps=`."""
_PACKAGE: Final = Path(__file__).parents[1]
_START: Final = re.compile(r"^ExecStart=/usr/bin/enigma-fed .*$", re.MULTILINE)


def template(name: str) -> str:
    """The text of a file of `systemd/` as it is, from the wheel or from the source tree."""
    packaged = _PACKAGE / "systemd" / name
    path = packaged if packaged.exists() else _PACKAGE.parent / "systemd" / name
    return path.read_text(encoding="utf-8")


def unit(name: str, words: Sequence[str]) -> str:
    """A unit that starts this command line; raises UsageError for one that systemd cannot start."""
    text = template(name)
    line = f"ExecStart={' '.join(map(quoted, words))}"
    text, found = _START.subn(lambda _: line, text)
    assert found == 1
    return text


def quoted(word: str) -> str:
    """A word of a command line as systemd reads it (systemd.service(5), "Command lines")."""
    if not word.isprintable():
        raise UsageError(f"{word!r} cannot stand in a unit")
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"' if plain != word or " " in word or "'" in word or not word else word
