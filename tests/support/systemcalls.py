"""Which addresses a process speaks to, as the kernel sees it (strace)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.prerequisites import missing

_CALL = re.compile(r"(\d+) +(\w+)\((.*)")
_BORN = re.compile(r"(\d+) +(?:<\.\.\. )?(?:clone3?|v?fork)\b.* = (\d+)$")
_UNIX = re.compile(r'sa_family=AF_UNIX, sun_path=(@?)"([^"]*)"')
_INET = re.compile(r'sa_family=AF_INET, sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)')
_FAMILY = re.compile(r"sa_family=(AF_\w+)")
_SOCKET = re.compile(r"(AF_\w+), (SOCK_\w+)")


@dataclass(frozen=True)
class Spoken:
    """An address that something was sent to or connected with, or a kind of socket that was made."""

    call: str
    where: str
    """`/path`, `127.0.0.1:9050`, or the address family."""


def strace(trace: Path) -> list[str]:
    """The start of a command line that notes what the rest of it, and its children, say to the network."""
    program = shutil.which("strace")
    if program is None:
        missing("strace is not installed: sudo apt install strace")
    calls = "trace=socket,connect,sendto,sendmsg,sendmmsg,clone,clone3,fork,vfork,execve"
    return [program, "-f", "-qq", "-s", "200", "-e", calls, "-e", "signal=none", "-o", str(trace)]


def spoken(trace: Path, *, without: str = "") -> set[Spoken]:
    """What was spoken to, the program of that name and its children left out."""
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    others = set(_lineage(lines, without)) if without else set()
    return {found for line in lines for pid, found in _calls(line) if pid not in others}


def _lineage(lines: list[str], program: str) -> Iterator[str]:
    """The process that became the program, its threads and its children."""
    family: set[str] = set()
    for line in lines:
        born = _BORN.match(line)
        if born is not None and born[1] in family:
            family.add(born[2])
            yield born[2]
        call = _CALL.match(line)
        if call is not None and call[2] == "execve" and f'/{program}", [' in call[3]:
            family.add(call[1])
            yield call[1]


def _calls(line: str) -> Iterator[tuple[str, Spoken]]:
    found = _CALL.match(line)
    if found is None:
        return
    pid, call, rest = found.groups()
    if call == "socket":
        kind = _SOCKET.match(rest)
        assert kind is not None, line
        yield pid, Spoken(call, f"{kind[1]} {kind[2]}")
    elif call != "execve" and (where := _address(rest)) is not None:
        yield pid, Spoken(call, where)


def _address(rest: str) -> str | None:
    if (path := _UNIX.search(rest)) is not None:
        return path[1] + path[2]
    if (internet := _INET.search(rest)) is not None:
        return f"{internet[2]}:{internet[1]}"
    family = _FAMILY.search(rest)
    return None if family is None else family[1]
