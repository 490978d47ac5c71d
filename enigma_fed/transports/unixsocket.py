"""Unix sockets that only this user, or this user's group too, can connect to."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import OperationFailed

_OWNER: Final = 0o600
_OWNER_AND_GROUP: Final = 0o660


def bind_private(path: Path, *, for_group: bool = False) -> socket.socket:
    """A listening-ready Unix socket, 0600 from the start; replaces a dead one. Raises OperationFailed.

    `for_group`: it ends as 0660, for the group that this process runs in.
    """
    if len(os.fsencode(path)) > limits.UNIX_PATH_BYTES:
        raise OperationFailed(
            f"the path of a socket is longer than {limits.UNIX_PATH_BYTES} bytes: {path}",
            hint="Choose a shorter folder.",
        )
    if path.exists() and not path.is_socket():
        raise OperationFailed(f"{path} is in the way: it is no socket", hint="Move it away, and start again.")
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # fchmod before bind: Linux gives the socket file the mode of the socket, so it is never open.
        os.fchmod(listening.fileno(), _OWNER)
        listening.bind(str(path))
        path.chmod(_OWNER_AND_GROUP if for_group else _OWNER)
    except OSError as error:
        listening.close()
        raise OperationFailed(f"the socket {path} cannot be made: {error.strerror}") from error
    return listening
