"""The command's end of the control socket: plain blocking sockets, so that commands start fast."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final, TypeVar

from enigma_fed.base import limits
from enigma_fed.base.errors import AgentNotRunning, OperationFailed, TryLater
from enigma_fed.daemon.calls import Call, Params
from enigma_fed.daemon.controlwire import decode_response, encode_request
from enigma_fed.daemon.credentials import peer_pid, peer_uid
from enigma_fed.daemon.paths import SYSTEM_RUNTIME_DIR

R = TypeVar("R")
_CHUNK: Final = 64 * 1024
_HINT: Final = "Start it with: enigma-fed run"
_LOOK: Final = "See what it does: enigma-fed doctor"


def call_agent(
    path: Path, call: Call[R], params: Params, timeout: float = limits.CONTROL_ANSWER_TIMEOUT
) -> R:
    """One call on a connection of its own; `timeout` in seconds.

    Raises the agent's own error, AgentNotRunning when nobody listens at `path`, TryLater when no
    answer came in time, OperationFailed when the connection broke.
    """
    request = encode_request(1, call, params)
    if len(request) > limits.CONTROL_LINE_BYTES:
        raise OperationFailed("the command is too large")
    with _connect(path, timeout) as connection:
        try:
            connection.sendall(request)
            line = _receive_line(connection)
        except TimeoutError:
            raise _hangs(path, connection) from None
        except OSError:
            raise OperationFailed("the agent closed the connection", hint="See: enigma-fed logs") from None
    return decode_response(line, call, 1)


def answers(path: Path) -> bool:
    """Whether an agent listens at `path`."""
    try:
        with _connect(path, 1.0):
            return True
    except (AgentNotRunning, OperationFailed, TryLater):
        return False


def hanging(path: Path) -> str:
    """What to say of the agent at `path` while it does not answer; empty when nobody listens there."""
    try:
        with _connect(path, 1.0) as connection:
            error = _hangs(path, connection)
    except TryLater as busy:
        error = busy
    except OperationFailed:
        return ""
    return f"{error.detail}; {error.hint[:1].lower()}{error.hint[1:]}"


def _hangs(path: Path, connection: socket.socket) -> TryLater:
    """One that hangs may not hear a plain `kill`."""
    pid = peer_pid(connection)
    detail = f"{f'process {pid}' if pid else 'the agent'} takes commands and does not answer"
    if path.parent == SYSTEM_RUNTIME_DIR:
        return TryLater(detail, hint="Wait, or restart it: sudo systemctl restart enigma-fed")
    end = f", or end it: kill {pid}; if that does not help: kill -9 {pid}" if pid else ""
    return TryLater(detail, hint=f"Wait{end}")


def _connect(path: Path, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(str(path))
        _check_server(connection, path)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        connection.close()
        raise AgentNotRunning(hint=_HINT) from None
    except BlockingIOError:
        connection.close()
        raise TryLater("the agent has too many commands to answer", hint=_LOOK) from None
    except OSError as error:
        connection.close()
        raise OperationFailed(f"{path}: {(error.strerror or 'it does not answer').lower()}") from None
    except OperationFailed:
        connection.close()
        raise
    return connection


def _check_server(connection: socket.socket, path: Path) -> None:
    """Commands carry codes: never speak to another user's socket, as root neither.

    The folder of the system's agent is root's to make; whoever listens in it was let in by root.
    """
    if path.parent != SYSTEM_RUNTIME_DIR and peer_uid(connection) not in (os.geteuid(), 0):
        raise OperationFailed(
            f"{path} belongs to another user", hint=f"As root, look at who made {path.parent}."
        )


def _receive_line(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    size = 0
    while not (parts and parts[-1].endswith(b"\n")):
        part = connection.recv(_CHUNK)
        if not part:
            raise ConnectionResetError
        parts.append(part)
        size += len(part)
        if size > limits.CONTROL_REPLY_BYTES:
            raise OperationFailed("the agent's answer is too large")
    return b"".join(parts)
