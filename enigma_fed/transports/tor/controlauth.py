"""Opening a control port and proving ourselves to it, and it to us. Runs in worker threads, on stem."""

from __future__ import annotations

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
    """A stem controller on a connection that has proved nothing yet; raises TorControlFailed."""
    endpoint = access.endpoint
    try:
        user = _listening_user(endpoint)  # stem would leave its socket open when nobody listens
    except PermissionError:
        raise TorControlFailed(f"{endpoint} may not be opened", hint=_group_hint(endpoint.path)) from None
    except OSError as error:
        raise TorControlFailed(f"nothing answers at {endpoint} ({_reason(error)})") from None
    if user is not None and not access.named and not may_listen(user, os.geteuid()):
        raise TorControlFailed(f"{endpoint} belongs to another user of this machine")
    if endpoint.is_unix:
        return stem.control.Controller.from_socket_file(endpoint.path)
    return stem.control.Controller.from_port(endpoint.host, endpoint.port)


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
    # Not the controller's own step of that name: it may take a tor over that is not ours.
    stem.control.BaseController._post_authentication(controller)


def _listening_user(endpoint: Endpoint) -> int | None:
    """The user who listens there, None for TCP; raises OSError."""
    family = (
        socket.AF_UNIX if endpoint.is_unix else socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    )
    with socket.socket(family) as looking:
        looking.settimeout(limits.TOR_CONTROL_DEADLINE)
        looking.connect(endpoint.path if endpoint.is_unix else (endpoint.host, endpoint.port))
        if not endpoint.is_unix:
            return None
        raw = looking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
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
