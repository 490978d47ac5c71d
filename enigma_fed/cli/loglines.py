"""The lines of the log files: the last ones, new ones as they come, and what is in one."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final, TextIO

import msgspec

from enigma_fed.base import limits

_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_TEXT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (\w+) +([\w.]+): (.*)", re.ASCII | re.DOTALL)


class LogLine(msgspec.Struct, frozen=True):
    """One line of the log in its parts; a line of another origin is all `message`."""

    time: str = ""
    """RFC 3339, UTC."""
    level: str = ""
    logger: str = ""
    message: str = ""

    def passes(self, earliest: str, level: str) -> bool:
        """Whether it is at least that late and that important; a line without time or level is."""
        if self.time and self.time < earliest:
            return False
        known = self.level in _LEVELS
        return not known or _LEVELS.index(self.level) >= _LEVELS.index(level)


def parse(line: str) -> LogLine:
    """The parts of a line, whether it was written as text or as JSON."""
    if line.startswith("{"):
        try:
            return msgspec.json.decode(line, type=LogLine)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return LogLine(message=line)
    match = _TEXT.fullmatch(line)
    return LogLine(*match.groups()) if match is not None else LogLine(message=line)


Wanted = Callable[[str], bool]


def tail(path: Path, count: int, wanted: Wanted = lambda line: True) -> list[str]:
    """The last so many wanted lines of the file and of those set aside before it, the oldest first."""
    with _opened(path) as file:
        lines = (line.rstrip("\n") for line in chain(_set_aside(path), _rest(file)))
        return list(deque(filter(wanted, lines), maxlen=count))


def followed(
    path: Path, count: int, pause: Callable[[], None], wanted: Wanted = lambda line: True
) -> Generator[str]:
    """The last lines and every new one, also of a file that takes this one's place; `pause` between looks."""
    with _opened(path) as file:
        *whole, part = ["", *_rest(file)]
        if part.endswith("\n"):
            whole, part = [*whole, part], ""
        lines = (line.rstrip("\n") for line in chain(_set_aside(path), whole[1:]))
        yield from deque(filter(wanted, lines), maxlen=count)
        yield from filter(wanted, _growing(file, path, part, pause))
    while True:
        with _opened(path) as file:
            yield from filter(wanted, _growing(file, path, "", pause))


def _set_aside(path: Path) -> Iterator[str]:
    """Every line of the older files."""
    for number in range(limits.LOG_FILES_KEPT, 0, -1):
        with _opened(path.with_name(f"{path.name}.{number}")) as file:
            yield from _rest(file)


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
