"""Power cuts: every state in which a disk may be found after some of the recorded steps.

What an fsync did not bring to the disk may be gone. Names: any of the changes since their folder's last
fsync, in any combination (more than a journalling file system permits, which loses them from the end).
Contents: what was not synced may be whole, empty, cut off anywhere, or zeros, although its name is there.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from tests.support.memorydisk import Image, Step

_COMBINED = 6
"""Unsynced names of which every combination is tried; of more, the first ones, the last ones, and some."""


class PowerCuts:
    """Follows recorded steps from an image and gives the states that a power cut can leave now."""

    def __init__(
        self, image: Image, inodes: dict[str, int], chance: random.Random, *, every_cut: bool = False
    ) -> None:
        """`inodes` are the numbers of the image's files; `every_cut` tries each length of unsynced data."""
        self._chance = chance
        self._every_cut = every_cut
        self._folders = set(image.folders)
        self._names = dict(inodes)
        self._data = {inodes[name]: data for name, data in image.files.items()}
        self._unsynced: set[int] = set()
        self._pending: list[Step] = []

    def follow(self, step: Step) -> None:
        """The next step of the recording."""
        if step.kind == "write":
            self._data[step.inode] = self._data.get(step.inode, b"") + step.data
            self._unsynced.add(step.inode)
        elif step.kind == "put":
            self._names.pop(step.path, None)
            if step.inode:
                self._names[step.path], self._data[step.inode] = step.inode, step.data
        elif step.kind == "sync":
            self._unsynced.discard(step.inode)
        elif step.kind == "sync folder":
            done = [each for each in self._pending if _folder(each) == step.path]
            self._pending = [each for each in self._pending if _folder(each) != step.path]
            _apply(done, self._names, self._folders)
        else:
            self._pending.append(step)
            if step.kind == "create":
                self._data[step.inode] = b""
                self._unsynced.add(step.inode)

    def states(self) -> Iterator[Image]:
        """Every state that the disk may be in."""
        for kept in self._combinations():
            names, folders = dict(self._names), set(self._folders)
            _apply(kept, names, folders)
            names = {name: number for name, number in names.items() if _is_reachable(name, folders)}
            yield from self._with_contents(names, frozenset(f for f in folders if _is_reachable(f, folders)))

    def _combinations(self) -> Iterable[Sequence[Step]]:
        pending = self._pending
        if len(pending) <= _COMBINED:
            chosen = itertools.product((False, True), repeat=len(pending))
            return [[step for step, kept in zip(pending, keep, strict=True) if kept] for keep in chosen]
        some = [[step for step in pending if self._chance.random() < 0.5] for _ in range(32)]
        return [*(pending[:end] for end in range(len(pending) + 1)), *some]

    def _with_contents(self, names: dict[str, int], folders: frozenset[str]) -> Iterator[Image]:
        files = {name: self._data[number] for name, number in names.items()}
        yield Image(folders, files)
        # What only a temporary name leads to is read by nobody.
        read = {number for name, number in names.items() if not name.endswith(".tmp")}
        for number in sorted(read & self._unsynced):
            for data in self._losses(self._data[number]):
                changed = {name: data for name, inode in names.items() if inode == number}
                yield Image(folders, {**files, **changed})

    def _losses(self, data: bytes) -> Iterable[bytes]:
        size = len(data)
        if not size:
            return []
        some = self._chance.randrange(size)
        cuts: Iterable[int] = range(size) if self._every_cut else sorted({0, size // 2, size - 1, some})
        zeros = [bytes(size), data[: size // 2] + bytes(size - size // 2)]
        return [*(data[:cut] for cut in cuts), *zeros]


def _folder(step: Step) -> str:
    return _parents(step.other or step.path)[0]


def _is_reachable(name: str, folders: set[str]) -> bool:
    return folders.issuperset(_parents(name))


@functools.lru_cache(maxsize=1024)
def _parents(name: str) -> tuple[str, ...]:
    return tuple(map(str, PurePosixPath(name).parents))


def _apply(steps: Iterable[Step], names: dict[str, int], folders: set[str]) -> None:
    for step in steps:
        if step.kind == "mkdir":
            folders.add(step.path)
        elif step.kind == "create":
            names[step.path] = step.inode
        else:
            if step.kind in {"rename", "unlink"} and names.get(step.path) == step.inode:
                del names[step.path]
            if step.kind in {"rename", "link"}:
                names[step.other] = step.inode
