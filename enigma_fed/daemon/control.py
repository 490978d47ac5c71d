"""The agent's control socket: JSON-RPC lines on a Unix socket, for this user and root only (invariant 10)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, OperationFailed, TryLater
from enigma_fed.daemon.calls import Call, Params
from enigma_fed.daemon.controlwire import Request, decode_request, encode_error, encode_result
from enigma_fed.daemon.credentials import peer_uid
from enigma_fed.transports.unixsocket import bind_private

Serve = Callable[[Call[Any], Params], Awaitable[object]]
_log = logging.getLogger(__name__)


class ControlServer:
    """Takes commands at `path`; `serve` runs one call. The folder of `path` must be the owner's alone."""

    def __init__(self, path: Path, serve: Serve) -> None:
        self._path = path
        self._serve = serve
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen, in place of a dead agent's socket; the caller holds the folder's lock."""
        listening = bind_private(self._path)
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
            if self._admits(writer):
                await self._talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the command has gone, or the agent goes
        finally:
            self._connections.discard(task)
            writer.close()

    def _admits(self, writer: asyncio.StreamWriter) -> bool:
        if not _allowed(writer):
            _log.warning("a command of another user was refused")
            return False
        if len(self._connections) > limits.CONTROL_CONNECTIONS:
            writer.write(encode_error(None, TryLater("too many commands run at once")))
            return False
        return True

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


def _allowed(writer: asyncio.StreamWriter) -> bool:
    found = writer.get_extra_info("socket")
    with contextlib.closing(socket.socket(fileno=os.dup(found.fileno()))) as connection:
        return peer_uid(connection) in (0, os.geteuid())


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next whole line; empty when the command has nothing more to say, is too slow or says too much."""
    try:
        async with asyncio.timeout(limits.CONTROL_IDLE_TIMEOUT):
            line = await reader.readline()
    except (TimeoutError, ValueError):
        return b""
    return line if line.endswith(b"\n") else b""
