"""Telling systemd how the agent gets on: datagrams to `$NOTIFY_SOCKET`.

Own code, since it is a socket and one `send`: the libraries for it either need libsystemd's headers to
build or have had no release for years.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Final

from enigma_fed.wire import sdnotify

_log = logging.getLogger(__name__)
_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Sends to systemd's socket; without one it sends nothing."""

    def __init__(self, address: str | None, watchdog: float | None) -> None:
        """`address` as `wire.sdnotify.address` gives it; `watchdog` is seconds between two signs of life."""
        self._socket = _connected(address) if address is not None else None
        self.watchdog = watchdog if self.listening else None

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Notifier:
        """What the environment asks for; its variables are taken out, so that no child sends too."""
        found = {name: environ.pop(name) for name in _VARIABLES if name in environ}
        address = sdnotify.address(found.get("NOTIFY_SOCKET", ""))
        return cls(address, sdnotify.watchdog_interval(found, os.getpid()))

    @property
    def listening(self) -> bool:
        """Whether somebody wants to hear it."""
        return self._socket is not None

    def send(self, message: bytes) -> None:
        """Send without waiting: a manager that does not read must not stop the loop."""
        if self._socket is None:
            return
        try:
            self._socket.send(message)
        except OSError as error:
            _log.warning("systemd could not be told: %s", error.strerror)

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self.send(sdnotify.status(text))

    def close(self) -> None:
        """Send no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _connected(address: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    with contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.connect(address)
        return connection
    connection.close()
    return None
