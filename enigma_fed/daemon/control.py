"""The agent's control socket: JSON-RPC lines on a Unix socket (invariant 10).

For this user and root only; that of the machine's service for the members of its group as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, OperationFailed, TryLater
from enigma_fed.daemon.calls import Call, Params
from enigma_fed.daemon.controlwire import Request, decode_request, encode_error, encode_result
from enigma_fed.daemon.credentials import peer_groups, peer_uid
from enigma_fed.transports.unixsocket import bind_private

Serve = Callable[[Call[Any], Params], Awaitable[object]]
_log = logging.getLogger(__name__)
_PARTING: Final = 1.0
"""Seconds for a command that is sent away to say what it wanted."""


class ControlServer:
    """Takes commands at `path`; `serve` runs one call. The folder of `path` must be the owner's alone.

    `group` is the number of a group whose members may command too, the one that this process runs in.
    """

    def __init__(self, path: Path, serve: Serve, *, group: int | None = None) -> None:
        self._path = path
        self._serve = serve
        self._group = group
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, in place of a dead agent's socket; the caller holds the folder's lock."""
        listening = bind_private(self._path, for_group=self._group is not None)
        self._server = await asyncio.start_unix_server(
            self._connected, sock=listening, limit=limits.CONTROL_LINE_BYTES
        )

    async def close(self) -> None:
        """Take no more commands and end the running ones."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if not self._is_allowed(writer):
                _log.warning("a command of another user was refused")
            elif len(self._connections) > limits.CONTROL_CONNECTIONS:
                await _send_away(reader, writer)
            else:
                await self._talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the command has gone, or the agent goes
        finally:
            self._connections.discard(task)
            writer.close()

    def _is_allowed(self, writer: asyncio.StreamWriter) -> bool:
        found = writer.get_extra_info("socket")
        with contextlib.closing(socket.socket(fileno=os.dup(found.fileno()))) as connection:
            if peer_uid(connection) in (0, os.geteuid()):
                return True
            return self._group is not None and self._group in peer_groups(connection)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await _line(reader):
            writer.write(await self._answer(line))
            await writer.drain()

    async def _answer(self, line: bytes) -> bytes:
        request: Request | None = None
        try:
            request = decode_request(line)
            return encode_result(request.id, await self._serve(request.call, request.params))
        except EnigmaError as error:
            return encode_error(request.id if request else None, error)
        except Exception:  # noqa: BLE001  # the boundary of one command: the agent goes on
            name = request.call.name if request else "a command"
            _log.exception("%s failed", name)
            fault = OperationFailed("a fault inside the agent", hint="See: enigma-fed logs")
            return encode_error(request.id if request else None, fault)


async def _send_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say that it is busy; what the command sent is read, since a close before that would drop the answer."""
    writer.write(encode_error(None, TryLater("too many commands run at once")))
    writer.write_eof()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PARTING):
            await reader.read(limits.CONTROL_LINE_BYTES)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next whole line; empty when the command has nothing more to say, is too slow or says too much."""
    try:
        async with asyncio.timeout(limits.CONTROL_IDLE_TIMEOUT):
            line = await reader.readline()
    except (TimeoutError, ValueError):
        return b""
    return line if line.endswith(b"\n") else b""
