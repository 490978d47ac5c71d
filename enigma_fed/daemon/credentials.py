"""Who is at the other end of a Unix socket (unix(7))."""

from __future__ import annotations

import socket
import struct
from typing import Final

_CREDENTIALS: Final = struct.Struct("3i")
_SO_PEERGROUPS: Final = 59
"""Linux 4.13 and newer; the socket module has no name for it."""
_GROUPS_BYTES: Final = 1024
"""What the socket module can ask for: 256 groups."""


def peer_uid(connection: socket.socket) -> int:
    """The user's number at the other end of a connected Unix socket (SO_PEERCRED)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(raw)[1]
    return uid


def peer_pid(connection: socket.socket) -> int | None:
    """The process at the other end, None when it is in none of our namespaces (SO_PEERCRED)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid: int = _CREDENTIALS.unpack(raw)[0]
    return pid or None


def peer_groups(connection: socket.socket) -> frozenset[int]:
    """The numbers of every group that the process at the other end was in when it connected."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    try:
        more = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:  # an old kernel, or somebody in more groups than that: the first one counts alone
        more = b""
    return frozenset({_CREDENTIALS.unpack(raw)[2], *(gid for (gid,) in struct.iter_unpack("I", more))})
