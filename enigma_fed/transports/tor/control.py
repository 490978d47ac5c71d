"""Tor's control connection. The only module that imports stem, and only inside worker threads.

stem is synchronous and runs two threads of its own; its callbacks reach the loop through
`call_soon_threadsafe`. The connection owns the tor process: tor ends when it closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from enigma_fed.base.errors import TorFailed
from enigma_fed.base.ids import OnionAddress
from enigma_fed.transports.tor.session import SocksEndpoint

_EVENT_PAUSE: Final = 10.0
_EVENTS: Final = ("STATUS_CLIENT", "STATUS_GENERAL", "HS_DESC", "ORCONN")


class EventKind(enum.Enum):
    """What an event of tor is about."""

    STATUS = "status"
    DESCRIPTOR_UPLOADED = "descriptor-uploaded"
    CONNECTED = "connected"
    CONNECTION_FAILED = "connection-failed"


@dataclass(frozen=True, slots=True)
class TorEvent:
    """An event of tor.

    `text` is for STATUS tor's line, for an upload the onion's 56 characters, for a failed
    connection to a relay tor's word for the reason.
    """

    kind: EventKind
    text: str = ""


class ControlLink:
    """An authenticated, owning control connection to our tor."""

    def __init__(self, controller: Any) -> None:
        self._controller = controller

    @classmethod
    async def open(cls, path: Path, on_event: Callable[[TorEvent], None]) -> Self:
        """Connect to the control socket and take the process over; raises TorFailed.

        `on_event` is called on the running loop, in order.
        """
        loop = asyncio.get_running_loop()

        def deliver(event: TorEvent) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is interested any more
                loop.call_soon_threadsafe(on_event, event)

        return cls(await asyncio.to_thread(_connect, path, deliver))

    async def bootstrap_line(self) -> str:
        """Tor's line about how far it has come; raises TorFailed."""
        return await self._get("status/bootstrap-phase")

    async def version(self) -> str:
        """Tor's version, such as `0.4.9.11`; raises TorFailed."""
        return (await self._get("version")).partition(" ")[0]

    async def socks(self) -> SocksEndpoint:
        """Where tor listens for SOCKS; raises TorFailed."""
        listeners = (await self._get("net/listeners/socks")).replace('"', "").split()
        for listener in listeners:
            host, _, port = listener.rpartition(":")
            if port.isdigit():
                return SocksEndpoint(host, int(port))
        raise TorFailed("tor listens on no SOCKS port")

    async def reload(self) -> None:
        """Make tor read its torrc again; raises TorFailed."""
        await self._call(lambda: self._controller.msg("SIGNAL RELOAD"))

    async def fetch_descriptor(self, onion: OnionAddress) -> None:
        """Make tor ask for an onion's descriptor now, and keep it; raises TorFailed."""
        label = str(onion).removesuffix(".onion")
        await self._call(lambda: self._controller.msg(f"HSFETCH {label}"))

    async def close(self) -> None:
        """Close the connection: tor ends."""
        await asyncio.to_thread(self._controller.close)

    async def _get(self, key: str) -> str:
        return str(await self._call(lambda: self._controller.get_info(key)))

    async def _call(self, call: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(_translated, call)


async def preload() -> None:
    """Import stem off the loop, so that the first connection need not wait for it."""
    await asyncio.to_thread(_import_stem)


class _PatientEvent(threading.Event):
    """stem's event thread wakes 20 times a second to look; this one sleeps until there is something."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(None if timeout is None else max(timeout, _EVENT_PAUSE))


def _import_stem() -> Any:
    if "stem.control" not in sys.modules:
        # stem 1.8.2 uses calls that newer Pythons deprecate, and gets no more releases.
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"stem\b")
        warnings.filterwarnings("ignore", category=SyntaxWarning, module=r"stem\b")
    import stem
    import stem.connection
    import stem.control

    return stem


def _connect(path: Path, deliver: Callable[[TorEvent], None]) -> Any:
    return _translated(lambda: _connect_with_stem(path, deliver))


def _connect_with_stem(path: Path, deliver: Callable[[TorEvent], None]) -> Any:
    stem = _import_stem()
    with socket.socket(socket.AF_UNIX) as looking:
        looking.connect(str(path))  # stem would leave its socket open when nobody listens
    controller = stem.control.Controller.from_socket_file(str(path))
    controller._event_notice = _PatientEvent()
    # stem's own listeners feed a cache that we do not use, and its one for RELOAD deadlocks with `close`.
    controller._event_listeners.clear()
    controller.set_caching(False)
    try:
        controller.authenticate()
        controller.msg("TAKEOWNERSHIP")
        controller.add_event_listener(lambda event: _forward(event, deliver), *_EVENTS)
    except BaseException:
        controller.close()
        raise
    return controller


def _forward(event: Any, deliver: Callable[[TorEvent], None]) -> None:
    """Runs on stem's thread. Relay addresses stay behind."""
    if event.type in {"STATUS_CLIENT", "STATUS_GENERAL"}:
        deliver(TorEvent(EventKind.STATUS, str(event)))
    elif event.type == "HS_DESC" and event.action == "UPLOADED":
        deliver(TorEvent(EventKind.DESCRIPTOR_UPLOADED, str(event.address)))
    elif event.type == "ORCONN" and event.status == "CONNECTED":
        deliver(TorEvent(EventKind.CONNECTED))
    elif event.type == "ORCONN" and event.status == "FAILED":
        deliver(TorEvent(EventKind.CONNECTION_FAILED, str(event.reason or "")))


def _translated(call: Callable[[], Any]) -> Any:
    stem = _import_stem()
    try:
        return call()
    except (stem.ControllerError, stem.connection.AuthenticationFailure, OSError) as error:
        raise TorFailed(f"its control connection failed ({type(error).__name__})") from error
