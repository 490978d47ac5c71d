"""Where things are, and who may have made the folder of the sockets."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import LooseModes, UsageError
from enigma_fed.daemon import paths as paths_module
from enigma_fed.daemon.paths import (
    SYSTEM_CONTROL_SOCKET,
    SYSTEM_DATA_DIR,
    Paths,
    control_socket,
    prepare_runtime_dir,
    resolve_paths,
)

UID = os.getuid()


def test_a_flag_is_stronger_than_the_environment_than_the_users_folder(tmp_path: Path) -> None:
    environ = {"ENIGMA_FED_DATA_DIR": str(tmp_path / "b"), "XDG_DATA_HOME": str(tmp_path / "c")}
    assert resolve_paths(tmp_path / "a", None, environ).data_dir == tmp_path / "a"
    assert resolve_paths(None, None, environ).data_dir == tmp_path / "b"
    del environ["ENIGMA_FED_DATA_DIR"]
    found = resolve_paths(None, None, environ)
    assert found.data_dir == tmp_path / "c" / "enigma-fed"
    assert not found.explicit
    assert resolve_paths(None, None, {"HOME": str(tmp_path)}).data_dir == tmp_path / ".local/share/enigma-fed"


def test_systemd_names_the_services_folder() -> None:
    found = resolve_paths(None, None, {"STATE_DIRECTORY": str(SYSTEM_DATA_DIR), "HOME": "/root"})
    assert found.is_system
    assert found.control_socket == SYSTEM_CONTROL_SOCKET


def test_the_named_config_is_taken_even_when_it_is_not_there(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "ENIGMA_FED_CONFIG": str(tmp_path / "env.toml")}
    assert resolve_paths(None, tmp_path / "x.toml", environ).config == tmp_path / "x.toml"
    assert resolve_paths(None, None, environ).config == tmp_path / "env.toml"


def test_the_users_config_is_taken_when_it_is_there(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "c")}
    (tmp_path / "c" / "enigma-fed").mkdir(parents=True)
    file = tmp_path / "c" / "enigma-fed" / "config.toml"
    file.touch()
    assert resolve_paths(None, None, environ).config == file


def test_two_data_folders_never_share_a_socket(tmp_path: Path) -> None:
    first, second = (control_socket(tmp_path / name, {"HOME": "/"}) for name in "ab")
    assert first != second
    assert first.parent == second.parent == Path(f"/tmp/enigma-fed-{UID}")


def test_a_relative_and_an_absolute_name_of_a_folder_are_one_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert control_socket(Path("data"), {}) == control_socket(tmp_path / "data", {})


def test_the_sessions_runtime_folder_is_used_only_if_it_is_ours_and_short(runtime_dir: Path) -> None:
    session = runtime_dir / "run"
    environ = {"XDG_RUNTIME_DIR": str(session)}
    fallback = Path(f"/tmp/enigma-fed-{UID}")
    assert resolve_paths("/d", None, environ).runtime_dir == fallback
    session.mkdir()
    assert resolve_paths("/d", None, environ).runtime_dir == session / "enigma-fed"
    assert resolve_paths("/d", None, environ, uid=UID + 1).runtime_dir == Path(f"/tmp/enigma-fed-{UID + 1}")
    long = runtime_dir / ("x" * 100)
    long.mkdir()
    assert resolve_paths("/d", None, {"XDG_RUNTIME_DIR": str(long)}).runtime_dir == fallback


def test_every_socket_path_fits_into_107_bytes(runtime_dir: Path) -> None:
    for length in range(1, 100):
        session = runtime_dir / ("x" * length)
        session.mkdir()
        found = resolve_paths("/some/data", None, {"XDG_RUNTIME_DIR": str(session)})
        for socket in (found.control_socket, found.rpc_socket):
            assert len(os.fsencode(socket)) <= limits.UNIX_PATH_BYTES


def test_a_nul_in_a_path_is_refused() -> None:
    with pytest.raises(UsageError):
        resolve_paths("/a\0b", None, {})


def test_the_runtime_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    prepare_runtime_dir(folder)
    prepare_runtime_dir(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_invariant_10_a_runtime_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    with pytest.raises(LooseModes, match="another user"):
        prepare_runtime_dir(folder, uid=UID + 1)


def test_invariant_10_a_runtime_folder_open_to_others_or_a_link_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(LooseModes) as caught:
        prepare_runtime_dir(folder)
    assert caught.value.hint == f"Run: chmod 700 {folder}"
    folder.chmod(0o700)
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(LooseModes, match="not a folder"):
        prepare_runtime_dir(link)


def test_invariant_10_the_folder_of_the_sockets_is_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the machine's service may be entered by its group; nobody may write there but its owner."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr(paths_module, "SYSTEM_RUNTIME_DIR", folder)
    folder.chmod(0o750)
    prepare_runtime_dir(folder)
    for mode in (0o755, 0o770):
        folder.chmod(mode)
        with pytest.raises(LooseModes):
            prepare_runtime_dir(folder)


def test_everything_of_a_node_lies_in_its_data_folder(tmp_path: Path) -> None:
    found = Paths(data_dir=tmp_path, config=None, runtime_dir=tmp_path)
    for path in (*found.folders, found.node_key, found.onion_key, found.name_file, found.log_file):
        assert path.is_relative_to(tmp_path)
