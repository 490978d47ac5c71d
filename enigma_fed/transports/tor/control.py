"""Tor's control connection. The only place that imports stem, and only inside worker threads.

stem is synchronous and runs two threads of its own; its callbacks reach the loop through
`call_soon_threadsafe`. A connection that owns its tor takes it along when it closes; one to
a tor that is not ours never does, and takes only our onions along.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from enigma_fed.base import limits
from enigma_fed.base.errors import TorControlFailed
from enigma_fed.base.ids import OnionAddress
from enigma_fed.transports.tor import controlauth
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.controlwords import COLLISION, service_ids
from enigma_fed.transports.tor.endpoint import Endpoint, usable_listeners

_log = logging.getLogger(__name__)

_EVENT_PAUSE: Final = 10.0
_EVENTS: Final = ("STATUS_CLIENT", "STATUS_GENERAL", "HS_DESC", "ORCONN")
_CLOSE_PATIENCE: Final = 5.0
_HUNG: Final = "tor does not answer"


class EventKind(enum.Enum):
    """What an event of tor is about."""

    STATUS = "status"
    DESCRIPTOR_UPLOADED = "descriptor-uploaded"
    CONNECTED = "connected"
    CONNECTION_FAILED = "connection-failed"
    CLOSED = "closed"
    """The control connection ended; nothing more comes."""


@dataclass(frozen=True, slots=True)
class TorEvent:
    """An event of tor.

    `text` is for STATUS tor's line, for an upload the onion's 56 characters, for a failed
    connection to a relay tor's word for the reason.
    """

    kind: EventKind
    text: str = ""


class ControlLink:
    """An authenticated control connection; one word at a time, each with a deadline.

    After one missed deadline the connection is of no more use: close it.
    """

    def __init__(self, controller: Any) -> None:
        self._controller = controller
        # At most one of the threads that all work in the background shares is held by a hung tor.
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, access: ControlAccess, on_event: Callable[[TorEvent], None], *, own: bool) -> Self:
        """Connect and prove ourselves; `own` takes the tor process over. Raises TorControlFailed.

        `on_event` is called on the running loop, in order.
        """
        loop = asyncio.get_running_loop()

        def deliver(event: TorEvent) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is interested any more
                loop.call_soon_threadsafe(on_event, event)

        link = cls(await asyncio.to_thread(_connect, access))
        try:
            await link._call(lambda: _introduce(link._controller, access, deliver, own=own))
        except BaseException:
            await link.close()
            raise
        return link

    async def bootstrap_line(self) -> str:
        """Tor's line about how far it has come; raises TorControlFailed."""
        return await self._get("status/bootstrap-phase")

    async def version(self) -> str:
        """Tor's version, such as `0.4.9.11`; raises TorControlFailed."""
        return (await self._get("version")).partition(" ")[0]

    async def socks(self) -> Endpoint:
        """Where tor listens for SOCKS, TCP before a Unix socket; raises TorControlFailed."""
        listeners = usable_listeners(await self._get("net/listeners/socks"))
        if not listeners:
            raise TorControlFailed(
                "that tor listens on no SOCKS port", hint="Take SocksPort 0 out of its torrc."
            )
        return listeners[0]

    async def onions(self) -> frozenset[str]:
        """The onions (56 characters) that this connection keeps up; raises TorControlFailed."""
        return service_ids(await self._get("onions/current"))

    async def has_circuits(self) -> bool:
        """Whether tor gets anything through its network; raises TorControlFailed."""
        return await self._get("status/circuit-established") == "1"

    async def reload(self) -> None:
        """Make our own tor read its torrc again; raises TorControlFailed."""
        await self._say("SIGNAL RELOAD")

    async def fetch_descriptor(self, onion: OnionAddress) -> None:
        """Make tor ask for an onion's descriptor now, and keep it; raises TorControlFailed."""
        await self._say(f"HSFETCH {_label(onion)}")

    async def add_onion(self, line: str) -> None:
        """Say an ADD_ONION line; raises OnionTaken, TorControlFailed. The line holds a secret."""
        await self._say(line)

    async def remove_onion(self, onion: OnionAddress) -> None:
        """Take an onion of this connection out; raises TorControlFailed."""
        await self._say(f"DEL_ONION {_label(onion)}")

    async def close(self) -> None:
        """Close the connection: an owned tor ends, in another our onions do."""
        closing = asyncio.create_task(asyncio.to_thread(self._controller.close), name="tor control closes")
        _, late = await asyncio.wait({closing}, timeout=_CLOSE_PATIENCE)
        if late:
            _log.warning("a control connection of tor does not close")

    async def _get(self, key: str) -> str:
        return str(await self._call(lambda: self._controller.get_info(key)))

    async def _say(self, line: str) -> None:
        reply = await self._call(lambda: self._controller.msg(line))
        if not reply.is_ok():
            raise _refusal(str(reply))

    async def _call(self, call: Callable[[], Any]) -> Any:
        try:
            async with asyncio.timeout(limits.TOR_CONTROL_DEADLINE), self._turn:
                return await asyncio.to_thread(_translated, call)
        except TimeoutError:
            raise TorControlFailed(_HUNG) from None


class OnionTaken(TorControlFailed):
    """That tor serves this onion already, for somebody else."""

    def __init__(self) -> None:
        super().__init__(
            "that tor serves this node's onion already",
            hint="Another copy of this node uses it, or its torrc has a HiddenServiceDir with our key.",
        )


def _label(onion: OnionAddress) -> str:
    return str(onion).removesuffix(".onion")


def _refusal(reply: str) -> TorControlFailed:
    """What a refusal means. Tor repeats words of ours in some, but never a key that it could read."""
    if COLLISION in reply:
        return OnionTaken()
    return TorControlFailed(f"tor refused: {reply[: limits.ERROR_CHARACTERS]}")


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

    # Every line that is sent would pass there, keys and passwords too (invariant 8).
    logging.getLogger("stem").disabled = True
    return stem


def _connect(access: ControlAccess) -> Any:
    stem = _import_stem()
    controller = _translated(lambda: controlauth.connect(stem, access))
    controller._event_notice = _PatientEvent()
    # stem's own listeners feed a cache that we do not use, and its one for RELOAD deadlocks with `close`.
    controller._event_listeners.clear()
    controller.set_caching(False)
    return controller


def _introduce(
    controller: Any, access: ControlAccess, deliver: Callable[[TorEvent], None], *, own: bool
) -> None:
    stem = _import_stem()
    controlauth.authenticate(stem, controller, access)
    if own:
        controller.msg("TAKEOWNERSHIP")
    controller.add_status_listener(
        lambda _controller, state, _time: _forward_state(state, deliver), spawn=False
    )
    controller.add_event_listener(lambda event: _forward(event, deliver), *_EVENTS)


def _forward_state(state: str, deliver: Callable[[TorEvent], None]) -> None:
    """Runs on stem's thread."""
    if state == _import_stem().control.State.CLOSED:
        deliver(TorEvent(EventKind.CLOSED))


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
    except (stem.SocketClosed, BrokenPipeError, ConnectionError):
        raise TorControlFailed("its connection was closed") from None
    except (stem.ControllerError, stem.connection.AuthenticationFailure, OSError, ValueError) as error:
        raise TorControlFailed(f"its connection failed ({type(error).__name__})") from error
