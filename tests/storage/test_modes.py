"""Only the owner may read what is here: each breach is named, with the command that mends it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from enigma_fed.base.errors import LooseModes
from enigma_fed.storage import modes


def test_an_open_folder_or_file_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(LooseModes, match="chmod 700"):
        modes.check_folder(tmp_path / "open")
    (tmp_path / "file").touch(0o644)
    with pytest.raises(LooseModes, match="chmod 600"):
        modes.check_file(tmp_path / "file", (tmp_path / "file").stat())


def test_what_is_of_another_kind_is_refused_and_what_is_missing_passes(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o600)
    modes.check_file(tmp_path / "file", (tmp_path / "file").stat())
    with pytest.raises(LooseModes, match="not a folder"):
        modes.check_folder(tmp_path / "file")
    with pytest.raises(LooseModes, match="not a plain file"):
        modes.check_file(tmp_path, tmp_path.stat())
    modes.check_folder(tmp_path / "missing")


def test_invariant_8_what_belongs_to_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    modes.check_folder(tmp_path)
    status = list(tmp_path.stat())
    status[4] = 4711
    monkeypatch.setattr(Path, "stat", lambda self: os.stat_result(status))
    with pytest.raises(LooseModes, match="another user"):
        modes.check_folder(tmp_path)


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
