"""Opening a control port and proving ourselves to it, and it to us. Runs in worker threads, on stem."""

from __future__ import annotations

import contextlib
import grp
import os
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from enigma_fed.base import limits
from enigma_fed.base.errors import TorControlFailed
from enigma_fed.transports.tor.controlwords import (
    choose_method,
    cookie_doubt,
    may_listen,
    password_line,
)
from enigma_fed.transports.tor.endpoint import Endpoint

_CREDENTIALS: Final = struct.Struct("3i")
_COOKIE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ControlAccess:
    """Where a control port is, and what opens it."""

    endpoint: Endpoint
    password: str | None = field(default=None, repr=False)
    named: bool = True
    """Whether the owner named it; a socket that was only found must belong to the system or to us."""


def connect(stem: Any, access: ControlAccess) -> Any:
    """A stem controller on a connection that has proved nothing yet; raises TorControlFailed.

    The connection is the only one it ever has: stem would open another by itself, which nobody closes.
    """
    endpoint = access.endpoint
    try:
        connection = _connected(endpoint)
    except PermissionError:
        raise TorControlFailed(f"{endpoint} may not be opened", hint=_group_hint(endpoint.path)) from None
    except OSError as error:
        raise TorControlFailed(f"nothing answers at {endpoint} ({_reason(error)})") from None
    user = _listening_user(connection) if endpoint.is_unix else None
    if user is not None and not access.named and not may_listen(user, os.geteuid()):
        connection.close()
        raise TorControlFailed(f"{endpoint} belongs to another user of this machine")
    unproved = FirstWords(connection)
    control = (
        stem.socket.ControlSocketFile(endpoint.path, connect=False)
        if endpoint.is_unix
        else stem.socket.ControlPort(endpoint.host, endpoint.port, connect=False)
    )
    control._make_socket = unproved.take
    control.connect()
    controller = stem.control.Controller(control)
    controller.unproved = unproved
    return controller


class FirstWords:
    """A connected socket, as stem uses one, that ends when a port says too much before it has proved itself.

    Who listens at a port that was only found may be anybody (invariant 7).
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rwb")
        self._taken = False
        self._proved = False
        self._left = limits.TOR_CONTROL_FIRST_BYTES

    def take(self) -> FirstWords:
        """Itself, once; raises ConnectionError from then on."""
        if self._taken:
            raise ConnectionError("a control connection is made once")
        self._taken = True
        return self

    def proved(self) -> None:
        """Whoever is there is tor: it may say what it likes."""
        self._proved = True

    def makefile(self, mode: str) -> FirstWords:
        """What stem reads from and writes to: itself."""
        assert mode == "rwb"
        return self

    def readline(self) -> bytes:
        """The next line; raises ConnectionError when it is too much."""
        if self._proved:
            return self._file.readline()
        line = self._file.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0 and not self._proved:  # it may have proved itself while we read
            self._connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionError("it says too much")
        return line

    def write(self, data: bytes) -> int:
        """Send, once flushed."""
        return self._file.write(data)

    def flush(self) -> None:
        """Send now."""
        self._file.flush()

    def shutdown(self, how: int) -> None:
        """End it, for whoever reads just now, too."""
        self._connection.shutdown(how)

    def close(self) -> None:
        """Close it."""
        self._connection.close()
        with contextlib.suppress(OSError):  # what it could not send
            self._file.close()


def authenticate(stem: Any, controller: Any, access: ControlAccess) -> None:
    """Prove ourselves by what the port offers (control-spec, AUTHENTICATE); raises TorControlFailed.

    Stem's own errors pass, too.
    """
    offer = stem.connection.get_protocolinfo(controller)
    method, trouble = choose_method(
        {name.upper() for name in offer.auth_methods},
        has_password=access.password is not None,
        is_unix=access.endpoint.is_unix,
    )
    if not method:
        raise TorControlFailed(f"{access.endpoint}: {trouble}")
    if method == "SAFECOOKIE":
        _check_cookie(offer.cookie_path, is_unix=access.endpoint.is_unix)
        stem.connection.authenticate_safecookie(controller, offer.cookie_path)
    elif method == "PASSWORD":
        _say_password(controller, access)
    else:
        stem.connection.authenticate_none(controller)
    controller.unproved.proved()
    # Not the controller's own step of that name: it may take a tor over that is not ours.
    stem.control.BaseController._post_authentication(controller)


def _connected(endpoint: Endpoint) -> socket.socket:
    """A connection, made in time; raises OSError."""
    family = (
        socket.AF_UNIX if endpoint.is_unix else socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    )
    connection = socket.socket(family)
    try:
        connection.settimeout(limits.TOR_CONTROL_DEADLINE)
        connection.connect(endpoint.path if endpoint.is_unix else (endpoint.host, endpoint.port))
    except BaseException:
        connection.close()
        raise
    connection.settimeout(None)
    return connection


def _listening_user(connection: socket.socket) -> int:
    """The user who listens at the other end of a Unix socket."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(raw)[1]
    return user


def _check_cookie(path: str | None, *, is_unix: bool) -> None:
    """The cookie can be read, and proves something; raises TorControlFailed."""
    if path is None:
        raise TorControlFailed("it names no cookie file")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        raise TorControlFailed(f"its cookie {path} may not be read", hint=_group_hint(path)) from None
    except OSError as error:
        raise TorControlFailed(f"its cookie {path} cannot be read ({_reason(error)})") from None
    try:
        found = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    doubt = cookie_doubt(found.st_uid, found.st_mode, os.geteuid(), is_unix=is_unix)
    if doubt:
        raise TorControlFailed(doubt)
    if found.st_size != _COOKIE_BYTES:
        raise TorControlFailed(f"{path} is no cookie of tor")


def _say_password(controller: Any, access: ControlAccess) -> None:
    assert access.password is not None
    if not controller.msg(password_line(access.password)).is_ok():
        raise TorControlFailed(
            f"{access.endpoint} refuses the password",
            hint="Correct the file that tor.control_password_file names.",
        )


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def _group_hint(path: str) -> str:
    """How to get in: the group that a socket, a cookie or their folder is open to."""
    for place in (Path(path), Path(path).parent):
        try:
            found = place.stat()
            group = grp.getgrgid(found.st_gid).gr_name
        except (OSError, KeyError):
            continue
        if found.st_gid != 0 and found.st_mode & 0o070:
            return (
                f"Join its group and start the agent anew: sudo usermod -aG {group} $USER "
                "(then log out and in; for the service: sudo usermod -aG "
                f"{group} enigma-fed, or SupplementaryGroups={group} in its unit)."
            )
    return (
        "Let tor open it to a group: ControlSocketsGroupWritable 1, CookieAuthFileGroupReadable 1; join that."
    )
