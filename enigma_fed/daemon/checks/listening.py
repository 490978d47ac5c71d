"""Checks of the ports on this machine: whose they are, and whether the agent answers there."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from typing import Final

import psutil

from enigma_fed.config import parse_listen
from enigma_fed.daemon.checks.scene import Scene, failure, ok, warning
from enigma_fed.wire.views import Finding

_PATIENCE: Final = 10.0
"""Seconds for the answer of the admin listener."""
_NO_ADMIN: Final = "Nothing on this machine can watch the node by its health or its metrics."
_NAME: Final = "admin listener"


def listen_address(scene: Scene) -> Iterator[Finding]:
    """The loopback port of the RPC: ours, free, or somebody else's."""
    text = scene.settings.rpc.listen
    if not text:
        yield ok("listen address", "none configured")
        return
    host, port = parse_listen(text)
    if scene.runs or port == 0 or not _is_taken(host, port):
        yield ok("listen address", text)
        return
    yield failure(
        "listen address",
        f"{text} is in use by {_who_listens(port)}",
        "The agent does not start while another program listens there.",
        "Choose another port: rpc.listen (empty for none).",
    )


def admin_listener(scene: Scene) -> Iterator[Finding]:
    """Whether the agent that runs answers at `/healthz`; else whether the port is free."""
    status = scene.status if scene.runs else None
    text = scene.settings.admin.listen
    if status is not None and status.admin_listen is not None:
        text = status.admin_listen  # the agent may have been started with other settings
    if status is not None and status.admin is not None:
        yield from _ask(status.admin)
    elif not text:
        yield ok(_NAME, "none configured")
    else:
        host, port = parse_listen(text)
        if port and _is_taken(host, port):
            yield _taken(text, port)
        elif status is not None:
            fix = "It tries again within a minute; see: enigma-fed logs"
            yield warning(_NAME, f"the agent does not listen on {text}", _NO_ADMIN, fix)
        else:
            yield ok(_NAME, text)


def _taken(text: str, port: int) -> Finding:
    fix = "Stop the other program, or choose another port: admin.listen (empty for none)."
    return warning(_NAME, f"{text} is in use by {_who_listens(port)}", _NO_ADMIN, fix)


def _ask(address: str) -> Iterator[Finding]:
    host, port = parse_listen(address)
    asked = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        asked.request("GET", "/healthz")
        status = asked.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        detail = f"{address} does not answer: {error}"
    else:
        if status == http.client.OK:
            yield ok(_NAME, address)
            return
        detail = f"{address} answers with {status}"
    finally:
        asked.close()
    yield failure(_NAME, detail, _NO_ADMIN, "Restart the agent; if that does not help: enigma-fed logs")


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _who_listens(port: int) -> str:
    """The program behind a port, as far as this user may know."""
    try:
        for found in psutil.net_connections("tcp"):
            listens = found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port
            if listens and found.pid:
                return f"{psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:
        pass
    return "another program"
