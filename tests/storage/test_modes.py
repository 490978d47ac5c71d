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


def _status(mode: int, uid: int, gid: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


def test_invariant_8_a_credential_is_the_services_or_roots_with_an_access_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(modes.os, "geteuid", lambda: 990)
    path = Path("/run/credentials/enigma-fed.service/node.key")
    for mode, uid, gid in ((0o100400, 990, 990), (0o100400, 0, 0), (0o100440, 0, 0), (0o040550, 0, 0)):
        modes.check_credential(path, _status(mode, uid, gid))
    for mode, uid, gid in (
        (0o100440, 990, 990),
        (0o100440, 0, 990),
        (0o100404, 0, 0),
        (0o100460, 0, 0),
        (0o100400, 1000, 1000),
    ):
        with pytest.raises(LooseModes):
            modes.check_credential(path, _status(mode, uid, gid))
