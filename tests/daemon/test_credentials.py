"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket

from enigma_fed.daemon.credentials import peer_uid


def test_credentials_are_those_of_the_other_end() -> None:
    first, second = socket.socketpair(socket.AF_UNIX)
    with first, second:
        assert peer_uid(first) == os.getuid()
