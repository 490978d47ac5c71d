"""What lies on disk for our tor."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, TorFailed
from enigma_fed.transports.tor.folders import (
    OnionService,
    TorFolders,
    lock_is_free,
    prepare,
    read_extra,
    write_onion,
)
from enigma_fed.transports.tor.onionkey import OnionKey

KEY, OTHER = OnionKey(b"\1" * 32), OnionKey(b"\2" * 32)


@pytest.fixture
def folders(tmp_path: Path) -> TorFolders:
    return TorFolders(tmp_path / "tor", tmp_path / "run")


def service(folders: TorFolders) -> OnionService:
    return OnionService("peers", KEY, ((80, folders.runtime / "onion.sock"),))


def test_everything_is_made_and_nobody_else_can_look(folders: TorFolders) -> None:
    prepare(folders, [service(folders)], None)
    made = [folders.base, *folders.base.rglob("*"), folders.control_folder]
    assert {oct(p.stat().st_mode & 0o777) for p in made if p.is_dir()} == {"0o700"}
    assert {oct(p.stat().st_mode & 0o777) for p in made if p.is_file()} == {"0o600"}
    assert f'HiddenServiceDir "{folders.base}/onions/peers"' in folders.torrc.read_text()
    assert (folders.onion("peers") / "hs_ed25519_secret_key").read_bytes() == KEY.secret_file


def test_it_can_be_done_again_over_loose_modes(folders: TorFolders) -> None:
    prepare(folders, [service(folders)], None)
    for path in (folders.base, folders.log, folders.onion("peers") / "hs_ed25519_secret_key"):
        path.chmod(0o777)
    prepare(folders, [service(folders)], None)
    assert not [p for p in (folders.base, *folders.base.rglob("*")) if p.stat().st_mode & 0o077]


def test_public_files_of_another_key_are_removed_and_our_own_stay(tmp_path: Path) -> None:
    write_onion(tmp_path, KEY)
    (tmp_path / "hs_ed25519_public_key").write_bytes(KEY.public_file)
    (tmp_path / "hostname").write_bytes(OTHER.hostname_file)
    write_onion(tmp_path, KEY)
    assert (tmp_path / "hs_ed25519_public_key").exists()
    assert not (tmp_path / "hostname").exists()
    write_onion(tmp_path, OTHER)
    assert not (tmp_path / "hs_ed25519_public_key").exists()
    assert (tmp_path / "hs_ed25519_secret_key").read_bytes() == OTHER.secret_file


def test_the_log_is_set_aside_when_it_is_large(folders: TorFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(folders, [], None)
    folders.log.write_text("long")
    monkeypatch.setattr(limits, "TOR_LOG_BYTES", 3)
    prepare(folders, [], None)
    assert folders.log.read_text() == ""
    assert folders.log.with_name("tor.log.1").read_text() == "long"


def test_two_agents_with_one_runtime_folder_have_different_sockets(tmp_path: Path) -> None:
    sockets = {TorFolders(tmp_path / name, tmp_path / "run").control_socket for name in ("a", "b")}
    assert len(sockets) == 2


def test_a_runtime_folder_with_too_long_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TorFailed, match="too long a name"):
        prepare(TorFolders(tmp_path / "tor", tmp_path / ("x" * 100)), [], None)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "tor").write_text("a file")
    with pytest.raises(TorFailed, match="tor"):
        prepare(TorFolders(tmp_path / "tor", tmp_path / "run"), [], None)


def test_the_owners_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "extra").write_text("ConnectionPadding 1\n")
    assert read_extra(tmp_path / "extra") == "ConnectionPadding 1\n"
    assert read_extra(None) == ""


@pytest.mark.parametrize("content", [b"#" * (limits.TORRC_EXTRA_BYTES + 1), b"\xff", None])
def test_a_file_of_lines_that_cannot_be_used_names_its_key(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "extra").write_bytes(content)
    with pytest.raises(ConfigError, match="torrc_extra"):
        read_extra(tmp_path / "extra")


def test_the_lock_tells_whether_a_tor_runs_there(tmp_path: Path) -> None:
    assert lock_is_free(tmp_path)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not lock_is_free(tmp_path)
    assert lock_is_free(tmp_path)
