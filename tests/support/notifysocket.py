"""systemd's end of the notification socket, as a test holds it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

_PATIENCE = 60.0


class NotifySocket:
    """A datagram socket that hears what a service says of itself."""

    def __init__(self, address: Path | str) -> None:
        """`address` is a path, or `@name` for an abstract one."""
        self.name = str(address)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.name.replace("@", "\0", 1) if self.name.startswith("@") else self.name)
        self._socket.settimeout(_PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def next(self) -> dict[str, str]:
        """The next message, as its variables."""
        return _variables(self._socket.recv(4096))

    async def soon(self) -> dict[str, str]:
        """`next`, while the loop goes on."""
        return await asyncio.to_thread(self.next)

    def until(self, variable: str) -> list[dict[str, str]]:
        """Every message up to the first that has this variable."""
        heard = [self.next()]
        while variable not in heard[-1]:
            heard.append(self.next())
        return heard

    def waiting(self) -> list[dict[str, str]]:
        """What has arrived already."""
        found = []
        self._socket.settimeout(0)
        try:
            while True:
                found.append(self.next())
        except BlockingIOError:
            return found
        finally:
            self._socket.settimeout(_PATIENCE)

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing arrives for so long; blocks whoever calls it."""
        self._socket.settimeout(seconds)
        try:
            self._socket.recv(4096)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(_PATIENCE)
        return False


def _variables(message: bytes) -> dict[str, str]:
    return dict(line.split("=", 1) for line in message.decode().splitlines())
