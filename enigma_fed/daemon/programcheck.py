"""Whether the installed program can be the machine's service: seen in the sandbox, changed by root alone."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import enigma_fed
from enigma_fed.base.errors import OperationFailed

HIDDEN: Final = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp", "/dev/shm")))  # noqa: S108
"""Folders that the unit's sandbox hides (ProtectHome=, PrivateTmp=, PrivateDevices=)."""
_GROUPS_OF_ROOT: Final = frozenset({0, 50})
"""root and Debian's staff, which owns /usr/local and has no members unless root puts some in."""
_FIX: Final = (
    "Install it where the system's programs are, then call that one: "
    "sudo python3 -m venv /opt/enigma-fed && sudo /opt/enigma-fed/bin/pip install {source} && "
    "sudo /opt/enigma-fed/bin/enigma-fed service install. Without root: enigma-fed service install --user"
)


def find_program() -> Path:
    """The console script of this installation; raises OperationFailed when there is none."""
    program = Path(sys.prefix, "bin", "enigma-fed")
    if not program.is_file():
        raise OperationFailed(f"{program} is missing", hint="Install enigma-fed into this Python anew.")
    return program


def parts(program: Path) -> tuple[Path, ...]:
    """What the service runs: the script, the interpreter, and this package."""
    return (program, Path(sys.executable), Path(enigma_fed.__file__).parent)


def require_for_machine(paths: tuple[Path, ...]) -> None:
    """Raise OperationFailed, with the next step, unless every path is fit for the machine's service."""
    for path in paths:
        for objection in objections(path):
            source = Path(enigma_fed.__file__).parents[1]
            origin = source if (source / "pyproject.toml").exists() else "enigma-fed"
            raise OperationFailed(
                f"the machine's service cannot run {path}: {objection}", hint=_FIX.format(source=origin)
            )


def objections(path: Path) -> Iterator[str]:
    """What speaks against it: where it and what it leads to lie, and who can change it."""
    real = path.resolve()
    for hidden in HIDDEN:
        if real.is_relative_to(hidden) or path.absolute().is_relative_to(hidden):
            yield f"the service does not see {hidden}"
    for place in dict.fromkeys((real, *real.parents, *path.absolute().parents)):
        try:
            found = place.stat()
        except OSError as error:
            yield f"{place}: {error.strerror}"
            return
        if found.st_uid != 0:
            yield f"{place} belongs to another user than root"
        elif _others_can_write(found):
            yield f"{place} can be changed by other users than root"


def _others_can_write(found: os.stat_result) -> bool:
    by_group = found.st_mode & stat.S_IWGRP and found.st_gid not in _GROUPS_OF_ROOT
    return bool(by_group or found.st_mode & stat.S_IWOTH)
