"""What is made here can be read by its owner alone, whatever the umask says."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from enigma_fed.base.errors import LooseModes, WriteFailed
from enigma_fed.storage import modes


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_every_folder_on_the_way_is_the_owners_alone(tmp_path: Path) -> None:
    modes.make_folder(tmp_path / "share" / "home" / "identity")
    for folder in ("share", "share/home", "share/home/identity"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700


def test_an_open_folder_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(LooseModes, match="chmod 700"):
        modes.make_folder(tmp_path / "open")


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LooseModes, match="not a folder"):
        modes.make_folder(tmp_path / "file")
    with pytest.raises(WriteFailed):
        modes.make_folder(tmp_path / "file" / "below")
