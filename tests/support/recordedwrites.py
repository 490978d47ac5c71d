"""What a process did to the files of a folder, as the kernel saw it (strace), and what power cuts leave.

What an fsync did not bring to the disk may be gone, whole, in part or not at all: bytes of files, sector by
sector, and names of the folder, the newest first.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from tests.support.prerequisites import missing

_SECTOR: Final = 512
_CALLS: Final = "openat,write,pwrite64,ftruncate,fsync,fdatasync,link,linkat,rename,unlink"
_UNFINISHED: Final = " <unfinished ...>"
_RESUMED: Final = re.compile(r"<\.\.\. \w+ resumed>(.*)", re.DOTALL)
_CALL: Final = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)", re.DOTALL)
_FILE: Final = re.compile(r"^(\d+)<([^>]*)>")
_TEXT: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True)
class Event:
    """One finished system call: on a file of the folder, or what was written to standard output."""

    call: str
    path: str = ""
    other: str = ""
    data: bytes = b""
    offset: int | None = None


def record(command: list[str], folder: Path, trace: Path) -> list[Event]:
    """Run a command: what it did to files in `folder`, and what it said, in the order in which that ended."""
    program = shutil.which("strace")
    if program is None:
        missing("strace is not installed: sudo apt install strace")
    flags = ["-f", "-qq", "-y", "-xx", "-s", "70000", "-e", f"trace={_CALLS}", "-e", "signal=none"]
    subprocess.run([program, *flags, "-o", str(trace), *command], check=True, stdout=subprocess.DEVNULL)
    with trace.open(encoding="ascii") as lines:
        return [event for call in _calls(lines) for event in _events(call, str(folder))]


def _calls(lines: Iterator[str]) -> Iterator[str]:
    """Whole calls; one that another thread interrupted counts when it ends."""
    begun: dict[str, str] = {}
    for line in lines:
        thread, _, rest = line.rstrip("\n").partition(" ")
        rest = rest.lstrip()
        resumed = _RESUMED.match(rest)
        if rest.endswith(_UNFINISHED):
            begun[thread] = rest.removesuffix(_UNFINISHED)
        elif resumed is not None:
            yield begun.pop(thread) + resumed[1]
        else:
            yield rest


def _events(text: str, folder: str) -> Iterator[Event]:
    call = _CALL.match(text)
    if call is None or call[3].startswith("-"):
        return
    name, arguments = call[1], call[2]
    texts = [bytes.fromhex(found[1].replace("\\x", "")) for found in _TEXT.finditer(arguments)]
    file = _FILE.match(arguments)
    path = "" if file is None else bytes.fromhex(file[2].replace("\\x", "")).decode(errors="replace")
    if name == "write" and file is not None and file[1] == "1":
        yield Event("say", data=texts[0])
    elif file is not None and (path == folder or path.startswith(f"{folder}/")):
        number = arguments.rpartition(", ")[2]
        if name in {"fsync", "fdatasync"}:
            yield Event("sync", path)
        elif name == "ftruncate":
            yield Event("truncate", path, offset=int(number))
        else:
            yield Event("write", path, data=texts[0], offset=int(number) if name == "pwrite64" else None)
    elif texts and file is None:
        paths = [each.decode() for each in texts]
        if paths[0].startswith(f"{folder}/") and (name != "openat" or "O_CREAT" in arguments):
            yield Event(name.removesuffix("at"), paths[0], *paths[1:])


_Change: TypeAlias = tuple[int, bytes | None]
"""Bytes at an offset; None: the file ends there."""
Keep: TypeAlias = Callable[[list[_Change]], list[_Change]]
"""What of the unsynced changes of a file is found afterwards."""


@dataclass(slots=True)
class _File:
    durable: bytes = b""
    size: int = 0
    changes: list[_Change] = field(default_factory=list)


class RecordedDisk:
    """The disk under the recorded process: follow its events, and cut the power in between."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._folder = str(folder)
        self._chance = chance
        self._durable: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._pending: list[dict[str, int]] = []
        self._files: list[_File] = []

    def follow(self, event: Event) -> None:
        """The next event."""
        if event.path == self._folder:
            self._durable, self._pending = dict(self._names), []
        elif event.call in {"open", "link", "rename", "unlink"}:
            self._rename(event)
        elif event.path in self._names:
            self._change(self._files[self._names[event.path]], event)

    def _rename(self, event: Event) -> None:
        before = dict(self._names)
        if event.call == "open":
            if event.path not in self._names:
                self._files.append(_File())
                self._names[event.path] = len(self._files) - 1
        elif event.call == "unlink":
            del self._names[event.path]
        else:
            self._names[event.other] = self._names[event.path]
            if event.call == "rename":
                del self._names[event.path]
        if before != self._names:
            self._pending.append(dict(self._names))

    def _change(self, file: _File, event: Event) -> None:
        if event.call == "sync":
            file.durable, file.changes = _made(file.durable, file.changes), []
        elif event.call == "truncate":
            assert event.offset is not None
            file.changes.append((event.offset, None))
            file.size = event.offset
        else:
            offset = file.size if event.offset is None else event.offset
            file.changes.append((offset, event.data))
            file.size = max(file.size, offset + len(event.data))

    def states(self) -> Iterator[dict[str, bytes]]:
        """Disks (name to bytes) that may be found now: all, nothing but what was synced, or parts of it."""
        yield self._state(self._names, lambda changes: changes)
        yield self._state(self._durable, lambda _: [])
        names = self._chance.choice([self._durable, *self._pending])
        yield self._state(names, self._torn)
        yield self._state(names, self._some)

    def _state(self, names: dict[str, int], kept: Keep) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for path, number in names.items():
            file = self._files[number]
            found[Path(path).name] = _made(file.durable, kept(file.changes))
        return found

    def _torn(self, changes: list[_Change]) -> list[_Change]:
        """The first ones, the last of them in part."""
        if not changes:
            return []
        *whole, (offset, data) = changes[: self._chance.randrange(len(changes)) + 1]
        if data is not None:
            data = data[: self._chance.randrange(len(data) // _SECTOR + 1) * _SECTOR]
        return [*whole, (offset, data)]

    def _some(self, changes: list[_Change]) -> list[_Change]:
        return [change for change in changes if self._chance.random() < 0.5]


def _made(data: bytes, changes: list[_Change]) -> bytes:
    made = bytearray(data)
    for offset, written in changes:
        if written is None:
            del made[offset:]
            made.extend(bytes(offset - len(made)))
        else:
            made.extend(bytes(max(0, offset - len(made))))
            made[offset : offset + len(written)] = written
    return bytes(made)
