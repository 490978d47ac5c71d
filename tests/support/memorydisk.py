"""A disk in memory that notes every step, for crash tests: what was not brought to it may be gone."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from enigma_fed.base.errors import StoreDamaged
from enigma_fed.storage.disk import Disk

Kind: TypeAlias = Literal[
    "mkdir", "create", "write", "sync", "sync folder", "rename", "link", "unlink", "put"
]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: on a file's content (`inode`) or on names (`path`, and `other` for a second one)."""

    kind: Kind
    path: str = ""
    inode: int = 0
    other: str = ""
    data: bytes = b""


class Killed(BaseException):
    """The process ends here, as by kill -9: what it did so far stands in the kernel's memory."""


@dataclass(slots=True)
class Image:
    """What stands on a disk: folders, and the bytes of each name."""

    folders: frozenset[str] = frozenset({"/"})
    files: dict[str, bytes] = field(default_factory=dict)


class MemoryDisk(Disk):
    """A `Disk` over an image; `steps` has every step in order. It checks no modes and takes no locks."""

    def __init__(self, image: Image | None = None, *, chunk: int | None = None) -> None:
        """`chunk` is the most bytes that one write takes."""
        image = image or Image()
        self.steps: list[Step] = []
        self.refuse_at: int | None = None
        """The step (counted from now on) that fails with `fault`, once."""
        self.fault: BaseException = OSError(errno.EIO, "Input/output error")
        self._chunk = chunk
        self._numbers = itertools.count(1)
        self._folders = set(image.folders)
        self._names: dict[str, int] = {}
        self._inodes: dict[int, bytes] = {}
        self._open: dict[int, tuple[Literal["sync", "sync folder"], str, int]] = {}
        for name, data in image.files.items():
            self._names[name] = number = next(self._numbers)
            self._inodes[number] = data

    @property
    def image(self) -> Image:
        """What a running system sees."""
        return Image(frozenset(self._folders), {n: self._inodes[i] for n, i in self._names.items()})

    @property
    def inodes(self) -> dict[str, int]:
        """The number of the content behind each name."""
        return dict(self._names)

    def put(self, path: Path, data: bytes | None) -> None:
        """Somebody else writes (or, with None, takes away) a file, durably, unnoticed."""
        number = next(self._numbers)
        if data is None:
            del self._names[str(path)]
            self.steps.append(Step("put", str(path)))
        else:
            self._names[str(path)], self._inodes[number] = number, data
            self.steps.append(Step("put", str(path), number, data=data))

    # Looking

    def read(self, path: Path, limit: int) -> bytes:
        data = self.head(path, limit + 1)
        if data is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        if len(data) > limit:
            raise StoreDamaged(f"{path} is larger than {limit} bytes")
        return data

    def head(self, path: Path, size: int) -> bytes | None:
        number = self._names.get(str(path))
        return None if number is None else self._inodes[number][:size]

    def exists(self, path: Path) -> bool:
        return str(path) in self._names or str(path) in self._folders

    def names(self, folder: Path) -> list[str]:
        inside = (Path(name) for name in (*self._names, *self._folders))
        return sorted(path.name for path in inside if path.parent == folder and path != folder)

    def check_folder(self, folder: Path) -> None:
        pass

    @contextmanager
    def locked(self, path: Path, wait: float) -> Iterator[None]:
        yield

    # Steps

    def _note(self, step: Step) -> None:
        if self.refuse_at is not None:
            self.refuse_at -= 1
            if self.refuse_at < 0:
                self.refuse_at = None
                raise self.fault
        self.steps.append(step)

    def _number(self, path: Path) -> int:
        if str(path) not in self._names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return self._names[str(path)]

    def _refuse_existing(self, path: Path) -> None:
        if self.exists(path):
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        if str(path.parent) not in self._folders:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path.parent))

    def mkdir(self, folder: Path) -> None:
        self._refuse_existing(folder)
        self._note(Step("mkdir", str(folder)))
        self._folders.add(str(folder))

    def open_new(self, path: Path) -> int:
        self._refuse_existing(path)
        number = next(self._numbers)
        self._note(Step("create", str(path), number))
        self._names[str(path)], self._inodes[number] = number, b""
        self._open[number] = ("sync", str(path), number)
        return number

    def open_folder(self, folder: Path) -> int:
        if str(folder) not in self._folders:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(folder))
        number = next(self._numbers)
        self._open[number] = ("sync folder", str(folder), 0)
        return number

    def close(self, descriptor: int) -> None:
        del self._open[descriptor]

    def write(self, descriptor: int, data: memoryview) -> int:
        _kind, path, number = self._open[descriptor]
        taken = bytes(data[: self._chunk])
        self._note(Step("write", path, number, data=taken))
        self._inodes[number] += taken
        return len(taken)

    def sync(self, descriptor: int) -> None:
        kind, path, number = self._open[descriptor]
        self._note(Step(kind, path, number))

    def rename(self, source: Path, target: Path) -> None:
        number = self._number(source)
        self._note(Step("rename", str(source), number, str(target)))
        del self._names[str(source)]
        self._names[str(target)] = number

    def link(self, source: Path, target: Path) -> None:
        number = self._number(source)
        self._refuse_existing(target)
        self._note(Step("link", str(source), number, str(target)))
        self._names[str(target)] = number

    def unlink(self, path: Path) -> None:
        number = self._number(path)
        self._note(Step("unlink", str(path), number))
        del self._names[str(path)]
