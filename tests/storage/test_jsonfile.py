from __future__ import annotations

import json
import multiprocessing
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from enigma_fed.base.errors import (
    Conflict,
    LockBusy,
    LooseModes,
    WriteFailed,
)
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.jsonfile import JsonFile
from enigma_fed.storage.seal import unseal
from tests.support.wordsfile import decode, encode, words_file

PROCESSES = 8
CHANGES = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "store"
    inner.mkdir(mode=0o700)
    return inner


@pytest.fixture
def file(folder: Path) -> JsonFile[tuple[str, ...]]:
    made = words_file(folder)
    made.create(("one",))
    return made


def _write_many(folder: str, name: str) -> None:
    file = words_file(Path(folder))
    for number in range(CHANGES):
        file.update(lambda words, number=number: (*words, f"{name}-{number}"))  # type: ignore[misc]


def test_many_processes_writing_at_once_lose_nothing(folder: Path) -> None:
    words_file(folder).create(())
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(str(folder), f"p{n}")) for n in range(PROCESSES)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    words = words_file(folder).read()
    assert sorted(words) == sorted(f"p{n}-{i}" for n in range(PROCESSES) for i in range(CHANGES))
    body, rev = unseal((folder / "words.json").read_bytes())
    assert rev == 1 + PROCESSES * CHANGES
    assert (folder / "words.json.bak").read_bytes() == (folder / "words.json").read_bytes()
    for n in range(PROCESSES):  # and each writer's changes stand in its order
        assert [word for word in words if word.startswith(f"p{n}-")] == [f"p{n}-{i}" for i in range(CHANGES)]
    assert body["words"] == list(words)


def test_the_file_and_its_copy_are_the_owners_alone(file: JsonFile[tuple[str, ...]], folder: Path) -> None:
    file.update(lambda words: (*words, "two"))
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["words.json", "words.json.bak", "words.json.lock"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    assert words_file(folder).read() == ("one", "two")


def test_a_change_that_changes_nothing_or_raises_writes_nothing(
    file: JsonFile[tuple[str, ...]], folder: Path
) -> None:
    def refuse(words: tuple[str, ...]) -> tuple[str, ...]:
        raise Conflict("no")

    before = (folder / "words.json").stat()
    assert file.update(lambda words: words) == ("one",)
    with pytest.raises(Conflict):
        file.update(refuse)
    assert (folder / "words.json").stat() == before


def test_invariant_5_create_never_replaces(file: JsonFile[tuple[str, ...]], folder: Path) -> None:
    with pytest.raises(Conflict):
        file.create(())
    (folder / "words.json").write_bytes(b"{")
    file.mend()
    (folder / "words.json").unlink()
    with pytest.raises(Conflict):  # the copy alone shows that there was a file
        file.create(())
    (folder / "words.json.bak").unlink()
    with pytest.raises(Conflict):  # and so does the marker of a recovery
        file.create(())


def test_a_file_without_version_reads_and_gets_one_with_the_first_change(folder: Path) -> None:
    path = folder / "words.json"
    path.write_text(json.dumps({"words": ["old"]}))
    path.chmod(0o600)
    file = words_file(folder)
    before = path.read_bytes()
    assert file.read() == file.mend() == ("old",)
    assert path.read_bytes() == before
    file.update(lambda words: (*words, "new"))
    assert json.loads(path.read_text())["version"] == 1
    assert words_file(folder).read() == ("old", "new")


@pytest.mark.parametrize(("name", "mode"), [("words.json", 0o640), (".", 0o755)])
def test_loose_modes_are_refused(file: JsonFile[tuple[str, ...]], folder: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    with pytest.raises(LooseModes, match="chmod"):
        file.read()


def test_a_lock_that_is_held_is_waited_for_and_then_busy(
    file: JsonFile[tuple[str, ...]], folder: Path
) -> None:
    def inner(words: tuple[str, ...]) -> tuple[str, ...]:
        with pytest.raises(LockBusy):
            words_file(folder, lock_wait=0.05).update(lambda inner_words: ())
        return words

    file.update(inner)


class FailingDisk(Disk):
    """Fails the n-th step of one kind."""

    def __init__(self, step: str, number: int) -> None:
        self._step = step
        self._left = number

    def _count(self, step: str) -> None:
        if step == self._step:
            self._left -= 1
            if self._left == 0:
                raise OSError(28, "No space left on device")

    def write(self, descriptor: int, data: memoryview) -> int:
        self._count("write")
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._count("sync")
        super().sync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._count("rename")
        super().rename(source, target)


@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("write", 1),
        ("write", 2),
        ("sync", 1),
        ("sync", 2),
        ("sync", 3),
        ("sync", 4),
        ("rename", 1),
        ("rename", 2),
    ],
)
def test_invariant_5_a_step_that_fails_is_a_failed_write_and_the_file_stays_whole(
    file: JsonFile[tuple[str, ...]], folder: Path, step: str, number: int
) -> None:
    failing = words_file(folder, disk=FailingDisk(step, number))
    with pytest.raises(WriteFailed, match="No space left"):
        failing.update(lambda words: (*words, "two"))
    assert words_file(folder).read() in {("one",), ("one", "two")}
    assert not list(folder.glob("*.tmp"))
    failing.update(lambda words: (*words, "three"))  # the next change finds what is on disk
    assert words_file(folder).read()[-1] == "three"


class RecordingDisk(Disk):
    """Notes every step that makes a change durable."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def sync(self, descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        self.steps.append(f"fsync {kind}")
        super().sync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self.steps.append(f"rename to {target.name}")
        super().rename(source, target)


def test_invariant_5_the_order_of_a_durable_write(file: JsonFile[tuple[str, ...]], folder: Path) -> None:
    disk = RecordingDisk()
    words_file(folder, disk=disk).update(lambda words: (*words, "two"))
    assert disk.steps == [
        "fsync file",
        "rename to words.json",
        "fsync folder",
        "fsync file",
        "rename to words.json.bak",
        "fsync folder",
    ]


def test_the_same_bytes_are_decoded_once(folder: Path) -> None:
    seen: list[int] = []

    def counted(members: Mapping[str, object]) -> tuple[str, ...]:
        seen.append(1)
        return decode(members)

    words_file(folder).create(("one",))
    file = JsonFile(folder / "words.json", encode, counted)
    assert file.read() is file.read()
    words_file(folder).update(lambda words: (*words, "two"))
    assert file.read() == ("one", "two")
    assert len(seen) == 2
