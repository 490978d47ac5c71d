"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket

import pytest

from enigma_fed.daemon import credentials
from enigma_fed.daemon.credentials import peer_groups, peer_uid


def test_credentials_are_those_of_the_other_end() -> None:
    first, second = socket.socketpair(socket.AF_UNIX)
    with first, second:
        assert peer_uid(first) == os.getuid()


def test_groups_are_the_first_one_and_all_others() -> None:
    first, second = socket.socketpair(socket.AF_UNIX)
    with first, second:
        assert peer_groups(first) == {os.getegid(), *os.getgroups()}


def test_where_the_kernel_does_not_tell_the_others_the_first_one_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(credentials, "_SO_PEERGROUPS", 12345)
    first, second = socket.socketpair(socket.AF_UNIX)
    with first, second:
        assert peer_groups(first) == {os.getegid()}
