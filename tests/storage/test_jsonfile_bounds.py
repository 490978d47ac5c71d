"""A JSON file is never written larger than it is read, and a foreign one is left alone until it changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import WriteFailed
from enigma_fed.storage.jsonfile import JsonFile


def opened(path: Path) -> JsonFile[Any]:
    return JsonFile(path, lambda value: {"value": value}, lambda members: members.get("value"))


def test_a_file_larger_than_what_is_read_back_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(tmp_path / "store" / "file.json")
    file.create("small")
    before = file.path.read_bytes()
    monkeypatch.setattr(limits, "STORE_FILE_BYTES", 1000)
    with pytest.raises(WriteFailed, match="larger"):
        file.update(lambda _: "x" * 1000)
    assert file.path.read_bytes() == before
    assert file.read() == "small"


def test_a_file_of_another_agent_stays_as_it_is_until_the_first_change(tmp_path: Path) -> None:
    path = tmp_path / "store" / "file.json"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b'{"value": "theirs"}')
    path.chmod(0o600)
    file = opened(path)
    assert file.mend() == "theirs"
    assert not file.copy_path.exists()
    file.update(lambda _: "ours")
    assert file.path.read_bytes() == file.copy_path.read_bytes()
