"""A Unix socket is this user's from its first moment, and replaces nothing but a socket."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from enigma_fed.base.errors import OperationFailed
from enigma_fed.transports.unixsocket import bind_private


def test_the_socket_is_the_owners_alone_and_replaces_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    bind_private(path).close()
    with bind_private(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_in_the_way_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    path.write_text("mine")
    with pytest.raises(OperationFailed, match=r"in the way.* Move it away"):
        bind_private(path)
    assert path.read_text() == "mine"


def test_a_path_that_no_socket_can_have_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OperationFailed, match="longer than 107"):
        bind_private(tmp_path / ("x" * 120))
