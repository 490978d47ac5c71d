"""Damaged, missing and older files: the copy is used, nothing is lost, and it is said (invariant 5)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import LooseModes, StoreDamaged, StoreNewer
from enigma_fed.storage.disk import Disk
from enigma_fed.storage.jsonfile import JsonFile
from enigma_fed.storage.seal import digest, seal
from tests.support.wordsfile import words_file


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


def _flip(data: bytes) -> bytes:
    return data.replace(b"one", b"0ne")


DAMAGE: dict[str, Any] = {
    "absent": None,
    "empty": lambda data: b"",
    "truncated": lambda data: data[:-3],
    "a hole of zeros": lambda data: data[:20] + bytes(40) + data[60:],
    "one letter changed": _flip,
    "not an object": lambda data: b"[]",
    "empty object": lambda data: b"{}",
    "null": lambda data: b"null",
    "no sum": lambda data: b'{"version": 1, "rev": 9, "words": []}',
    "a version that is no number": lambda data: data.replace(b'"version": 1', b'"version": "1"'),
    "a version that was ours": lambda data: data.replace(b'"version": 1', b'"version": 3'),
    "a version of nought": lambda data: data.replace(b'"version": 1', b'"version": 0'),
    "a member twice": lambda data: data.replace(b'"words"', b'"words": [], "words"'),
    "without the member": lambda data: seal({}, 5),
    "older than its copy": lambda data: seal({"words": ["zero"]}, 1),
    "of a time before versions": lambda data: b'{"words": []}',
}


def damaged(folder: Path, name: str) -> tuple[Path, JsonFile[tuple[str, ...]], bytes | None]:
    """A file whose newest change is "one", damaged; who wrote it; the damaged bytes."""
    path = folder / "words.json"
    made = words_file(folder)
    made.create(("zero",))
    made.update(lambda words: (*words, "one"))
    damage = DAMAGE[name]
    if damage is None:
        path.unlink()
        return path, made, None
    path.write_bytes(damage(path.read_bytes()))
    return path, made, path.read_bytes()


def of_version_2(data: bytes) -> bytes:
    """The file as a newer version would write it, with a sum that holds there."""
    newer = data.replace(b'"version": 1', b'"version": 2')
    sum_ = newer.split(b'"sum": "')[1][:64]
    return newer.replace(sum_, digest(newer.replace(sum_, b"0" * 64)).encode())


def contents(folder: Path) -> dict[str, bytes]:
    """What stands in the folder."""
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.mark.parametrize("name", DAMAGE)
def test_invariant_5_a_reader_takes_the_copy_of_a_damaged_file_and_moves_nothing(
    folder: Path, name: str
) -> None:
    _, made, _ = damaged(folder, name)
    before = contents(folder)
    for file in (words_file(folder), made):
        assert file.read() == ("zero", "one")
        assert file.recovery is not None
        assert (file.recovery.rev, file.recovery.at, file.recovery.kept_as) == (2, None, None)
    assert contents(folder) == before


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("work", ["mend", "update"])
def test_invariant_5_who_holds_the_lock_sets_a_damaged_file_aside_and_says_so_until_it_is_accepted(
    folder: Path, name: str, work: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, made, bytes_before = damaged(folder, name)
    file = made if work == "update" else words_file(folder)
    if work == "mend":
        assert file.mend() == ("zero", "one")
    else:
        assert file.update(lambda words: words) == ("zero", "one")
    assert path.read_bytes() == path.with_name("words.json.bak").read_bytes()
    for known in (file, words_file(folder)):
        assert known.read() == ("zero", "one")
        assert known.recovery is not None
        assert known.recovery.at is not None
        if bytes_before is None:
            assert known.recovery.kept_as is None
        else:
            assert (folder / str(known.recovery.kept_as)).read_bytes() == bytes_before
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    file.update(lambda words: (*words, "two"))
    assert words_file(folder).mend() == ("zero", "one", "two")
    file.accept()
    again = words_file(folder)
    assert (again.mend(), again.recovery) == (("zero", "one", "two"), None)
    file.accept()  # a second time changes nothing


def test_invariant_5_both_damaged_is_said_and_nothing_is_moved(
    file: JsonFile[tuple[str, ...]], folder: Path
) -> None:
    for main, copy in ((b"{", b"}"), (b"", None), (None, b"x"), (None, None)):
        for path, data in ((folder / "words.json", main), (folder / "words.json.bak", copy)):
            path.unlink(missing_ok=True)
            if data is not None:
                path.write_bytes(data)
                path.chmod(0o600)
        before = contents(folder)
        for work in (file.read, file.mend, lambda: file.update(lambda words: ()), file.accept):
            with pytest.raises(StoreDamaged, match=r"words\.json.*its copy words\.json\.bak") as caught:
                work()
            assert "backup" in caught.value.hint
        assert contents(folder) == before


def test_invariant_5_an_earlier_damaged_file_is_never_overwritten(folder: Path) -> None:
    path = folder / "words.json"
    file = words_file(folder)
    file.create(("one",))
    for number in range(3):
        path.write_bytes(b"broken %d" % number)
        file.mend()
    kept = [p.read_bytes() for p in folder.glob("words.json.damaged-*")]
    assert sorted(kept) == [b"broken 0", b"broken 1", b"broken 2"]
    path.write_bytes(b"broken 1")  # bytes that are kept already need no second name
    file.mend()
    assert len(list(folder.glob("words.json.damaged-*"))) == 3


def test_a_disk_that_damages_files_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILES_SET_ASIDE", 2)
    file = words_file(folder)
    file.create(("one",))
    for number in range(2):
        (folder / "words.json").write_bytes(b"broken %d" % number)
        file.mend()
    (folder / "words.json").write_bytes(b"broken again")
    before = contents(folder)
    with pytest.raises(StoreDamaged, match="2 times"):
        file.mend()
    assert contents(folder) == before


@pytest.mark.parametrize("copy", [None, b"", b"older", b"damaged"])
def test_invariant_5_a_copy_that_is_missing_or_damaged_or_older_is_written_anew(
    file: JsonFile[tuple[str, ...]], folder: Path, copy: bytes | None
) -> None:
    path = folder / "words.json.bak"
    older = path.read_bytes()
    file.update(lambda words: (*words, "two"))
    assert file.look_at_copy() is None
    if copy is None:
        path.unlink()
    else:
        path.write_bytes(older if copy == b"older" else copy)
    why = file.look_at_copy()
    assert why is not None
    assert words_file(folder).read() == ("one", "two")  # a reader leaves it
    assert words_file(folder).look_at_copy() == why
    again = words_file(folder)
    assert again.mend() == ("one", "two")
    assert again.recovery is None
    assert path.read_bytes() == (folder / "words.json").read_bytes()
    assert again.look_at_copy() is None
    kept = [p.read_bytes() for p in folder.glob("words.json.bak.damaged-*")]
    assert kept == ([copy] if copy in {b"", b"damaged"} else [])


def test_a_copy_whose_first_bytes_only_look_newer_says_nothing(
    file: JsonFile[tuple[str, ...]], folder: Path
) -> None:
    path = folder / "words.json.bak"
    path.write_bytes(path.read_bytes().replace(b'"rev": 1', b'"rev": 9'))
    for known in (words_file(folder), file):
        assert known.read() == ("one",)
        assert known.recovery is None
    assert words_file(folder).mend() == ("one",)


def test_invariant_5_a_file_of_the_same_rev_as_its_copy_but_another_content_is_set_aside(
    file: JsonFile[tuple[str, ...]], folder: Path
) -> None:
    (folder / "words.json").write_bytes(seal({"words": ["foreign"]}, 1))
    assert words_file(folder).mend() == ("one",)
    recovery = words_file(folder).recovery
    again = words_file(folder)
    again.read()
    assert recovery is None
    assert again.recovery is not None
    assert again.recovery.why == "its copy differs"


def test_invariant_5_every_truncation_is_noticed(file: JsonFile[tuple[str, ...]], folder: Path) -> None:
    path = folder / "words.json"
    whole = path.read_bytes()
    for size in range(len(whole) - 1):  # the last byte is the newline after the object
        path.write_bytes(whole[:size])
        reader = words_file(folder)
        assert reader.read() == ("one",)
        assert reader.recovery is not None


@pytest.mark.parametrize("name", ["words.json", "words.json.bak"])
def test_invariant_5_a_newer_version_is_never_moved_nor_written(
    file: JsonFile[tuple[str, ...]], folder: Path, name: str
) -> None:
    path = folder / name
    path.write_bytes(of_version_2(path.read_bytes()))
    for other in (None, b"{"):
        if other is not None:
            (folder / ({"words.json", "words.json.bak"} - {name}).pop()).write_bytes(other)
        before = contents(folder)
        for work in (file.read, file.mend, lambda: file.update(lambda words: ()), file.accept):
            with pytest.raises(StoreNewer, match=r"words\.json"):
                work()
        assert contents(folder) == before


def test_a_newer_version_need_not_be_readable_here(file: JsonFile[tuple[str, ...]], folder: Path) -> None:
    (folder / "words.json").write_bytes(b'{"version": 3, words = not JSON')
    with pytest.raises(StoreNewer):
        file.mend()


def test_a_file_that_cannot_be_read_is_not_taken_for_damaged(
    file: JsonFile[tuple[str, ...]], folder: Path
) -> None:
    class Unreadable(Disk):
        def read(self, path: Path, limit: int) -> bytes:
            raise PermissionError(13, "Permission denied")

    before = contents(folder)
    with pytest.raises(StoreDamaged, match="cannot be read: Permission denied"):
        words_file(folder, disk=Unreadable()).mend()
    assert contents(folder) == before


def test_a_file_that_is_too_large_is_a_damaged_one(
    file: JsonFile[tuple[str, ...]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (folder / "words.json").stat().st_size
    (folder / "words.json").write_bytes(bytes(size + 1))
    monkeypatch.setattr(limits, "STORE_FILE_BYTES", size)
    assert words_file(folder).mend() == ("one",)


@pytest.mark.parametrize("name", ["words.json", "words.json.bak", "words.json.recovered"])
def test_a_named_pipe_in_the_place_of_a_file_is_refused_and_never_waited_for(
    file: JsonFile[tuple[str, ...]], folder: Path, name: str
) -> None:
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name, 0o600)
    with pytest.raises(LooseModes, match="not a plain file"):
        file.mend()


def test_a_copy_that_cannot_be_read_is_told_like_a_file(
    file: JsonFile[tuple[str, ...]], folder: Path
) -> None:
    (folder / "words.json.bak").unlink()
    (folder / "words.json.bak").mkdir()
    for read in (file.read, file.mend):
        with pytest.raises(StoreDamaged, match=r"words\.json\.bak: it cannot be read: Is a directory"):
            read()
