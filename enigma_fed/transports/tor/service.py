"""Tor as a part of the agent: a process of our own with our onion, supervised from start to end."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp

from enigma_fed.base import limits
from enigma_fed.base.backoff import Backoff
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import EnigmaError, TorFailed
from enigma_fed.base.ids import OnionAddress
from enigma_fed.base.tasks import Tasks
from enigma_fed.transports.tor import control, process
from enigma_fed.transports.tor.binary import TorBinary
from enigma_fed.transports.tor.bootstrap import connection_trouble, parse_bootstrap, parse_trouble
from enigma_fed.transports.tor.control import ControlLink, EventKind, TorEvent
from enigma_fed.transports.tor.folders import OnionService, TorFolders, lock_is_free, prepare
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.session import SocksEndpoint
from enigma_fed.transports.tor.status import TorPhase, TorStatus

_log = logging.getLogger(__name__)

_RESTARTS: Final = Backoff(first=limits.TOR_RESTART_FIRST, maximum=limits.TOR_RESTART_MAX, jitter=0.0)
_PROBES: Final = Backoff(first=limits.SELF_PROBE_FIRST, maximum=limits.SELF_PROBE_MAX, jitter=0.0)
_TRIES_BEFORE_A_REASON: Final = 8
_PEERS_ONION: Final = "peers"


@dataclass(frozen=True, slots=True)
class TorSettings:
    """What the agent decides about its tor."""

    data_dir: Path
    """`<data>/tor`; everything of tor's lies in it."""
    runtime_dir: Path
    """A folder for sockets; the control socket gets a folder of its own in it."""
    listener_socket: Path
    """The Unix socket on which the agent listens for what comes through the onion."""
    binary: TorBinary
    torrc_extra: Path | None = None
    virtual_port: int = 80


class Tor(Protocol):
    """What the agent sees of Tor, in every mode."""

    @property
    def status(self) -> TorStatus: ...  # noqa: D102

    @property
    def socks(self) -> SocksEndpoint | None: ...  # noqa: D102

    async def start(self) -> None: ...  # noqa: D102

    async def close(self) -> None: ...  # noqa: D102

    async def wait_ready(self) -> None: ...  # noqa: D102

    def look_again(self, onion: OnionAddress) -> None: ...  # noqa: D102


class TorOff:
    """Mode `off`: no tor, no onion."""

    status: Final = TorStatus(TorPhase.OFF)
    socks: Final = None

    async def start(self) -> None:
        """Nothing to start."""

    async def close(self) -> None:
        """Nothing to stop."""

    async def wait_ready(self) -> None:
        """Raises TorFailed: it will never be."""
        raise TorFailed("it is switched off", hint='Set tor.mode = "managed" in the configuration.')

    def look_again(self, onion: OnionAddress) -> None:
        """Nothing can be looked up."""


class _Life:
    """What has happened in the life of one tor process."""

    def __init__(self) -> None:
        self.progress = asyncio.Event()
        self.bootstrapped = asyncio.Event()
        self.uploaded = asyncio.Event()
        self.was_ready = False
        self.unconnected = False
        """The newest word about connections to relays was that they fail."""


class ManagedTor:
    """Mode `managed`: launches tor, follows it to `ready`, and starts it again when it ends.

    `probe` makes one try to reach this node through its own onion and says whether it worked;
    `on_change` hears every new status. The onion stays the same through every restart; `socks`
    may change, and is None while tor is not connected to its network.
    """

    def __init__(
        self,
        settings: TorSettings,
        key: OnionKey,
        *,
        tasks: Tasks,
        clock: Clock,
        probe: Callable[[], Awaitable[bool]],
        on_change: Callable[[TorStatus], None],
    ) -> None:
        self._settings = settings
        self._folders = TorFolders(settings.data_dir, settings.runtime_dir)
        self._own = OnionService(_PEERS_ONION, key, ((settings.virtual_port, settings.listener_socket),))
        self._more: tuple[OnionService, ...] = ()
        self._label = str(key.address).removesuffix(".onion")
        self._tasks = tasks
        self._clock = clock
        self._probe = probe
        self._on_change = on_change
        self._status = TorStatus(TorPhase.STARTING)
        self._socks: SocksEndpoint | None = None
        self._link: ControlLink | None = None
        self._life = _Life()
        self._ready = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def status(self) -> TorStatus:
        """How far Tor is now."""
        return self._status

    @property
    def socks(self) -> SocksEndpoint | None:
        """Where to send what goes through Tor; None while Tor has no network."""
        return self._socks

    async def start(self) -> None:
        """Begin in the background; returns at once."""
        self._supervisor = self._tasks.start("tor", self._supervise())

    async def close(self) -> None:
        """Stop tor; returns when the process has ended and its control socket is gone."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait({self._supervisor})
        await asyncio.to_thread(shutil.rmtree, self._folders.control_folder, ignore_errors=True)

    async def wait_ready(self) -> None:
        """Return once the node can be reached through its onion."""
        await self._ready.wait()

    def look_again(self, onion: OnionAddress) -> None:
        """Look an onion up that was not published a moment ago, so that the next call to it may succeed.

        Left to itself, tor does not ask the same directory again for 15 minutes: a peer that was
        away would be missed for that long after its return.
        """
        if self._link is not None:
            self._tasks.start("look-up of an onion", self._fetch(self._link, onion))

    async def _fetch(self, link: ControlLink, onion: OnionAddress) -> None:
        try:
            await link.fetch_descriptor(onion)
        except TorFailed as error:
            _log.info("%s was not looked up again: %s", onion.short, error)

    async def reload(self, more: Sequence[OnionService] | None = None) -> None:
        """Write the torrc again and make tor read it: nobody's connection is disturbed.

        `more` replaces the onions beside the node's own one; None leaves them as they are.
        Raises TorFailed.
        """
        if more is not None:
            self._more = tuple(more)
        await self._prepare()
        if self._link is not None:
            await self._link.reload()

    async def _supervise(self) -> None:
        failures = 0
        failure: EnigmaError = TorFailed()
        while True:
            try:
                await self._live()
            except EnigmaError as error:
                failure = error
            except Exception:  # noqa: BLE001 - a fault of ours must not end the supervision
                _log.exception("the supervision of tor failed")
                failure = TorFailed("a fault inside the agent")
            failures = 1 if self._life.was_ready else failures + 1
            pause = _RESTARTS.delay(failures, 0.5)
            _log.warning("%s; next start in %d s", failure, pause)
            self._died(failure)
            await self._clock.sleep(pause)

    def _died(self, error: EnigmaError) -> None:
        reason = f"{error}; it is started again"
        again = self._status.restarts + 1
        self._change(
            phase=TorPhase.FAILED, percent=0, tag="", summary="", reason=reason, pid=None, restarts=again
        )

    async def _live(self) -> None:
        """One life of a tor process; always ends with TorFailed, ConfigError or a cancellation."""
        self._life = _Life()
        self._change(phase=TorPhase.STARTING)
        await self._prepare()
        await self._wait_for_left_over()
        tor = await process.TorProcess.launch(self._settings.binary, self._folders.torrc)
        try:
            self._change(pid=tor.pid)
            await _unless_it_ends(tor, self._attend())
        finally:
            self._ready.clear()
            self._socks = None
            await tor.stop()

    async def _wait_for_left_over(self) -> None:
        """The tor of an agent that was killed needs a moment to notice, and holds the folder so long."""
        if not await asyncio.to_thread(lock_is_free, self._folders.data_directory):
            self._change(reason="another tor process still uses its folder; waiting for it to end")
            await process.wait_for_free_lock(self._folders.data_directory)

    async def _prepare(self) -> None:
        onions = (self._own, *self._more)
        await asyncio.to_thread(prepare, self._folders, onions, self._settings.torrc_extra)

    async def _attend(self) -> None:
        await asyncio.gather(control.preload(), process.wait_for_socket(self._folders.control_socket))
        link = await ControlLink.open(self._folders.control_socket, self._heard)
        try:
            self._link = link
            self._change(phase=TorPhase.BOOTSTRAPPING, reason="", version=await link.version())
            self._heard(TorEvent(EventKind.STATUS, await link.bootstrap_line()))
            await self._watch_bootstrap()
            self._socks = await link.socks()
            await self._become_ready()
            await self._stay_ready()
        finally:
            self._link = None
            await link.close()

    async def _watch_bootstrap(self) -> None:
        while not self._life.bootstrapped.is_set():
            self._life.progress.clear()
            try:
                async with asyncio.timeout(limits.TOR_STALL):
                    await self._life.progress.wait()
            except TimeoutError:
                self._stalled()

    def _stalled(self) -> None:
        if not self._status.reason:
            self._change(reason="Tor gets no further; this machine may have no way to the internet")

    async def _become_ready(self) -> None:
        self._change(phase=TorPhase.PUBLISHING)
        try:
            # A missed event must not hold us up for ever: a probe that succeeds proves the same.
            async with asyncio.timeout(limits.TOR_STALL):
                await self._life.uploaded.wait()
        except TimeoutError:
            self._change(reason="the onion address could not be published yet")
        self._change(phase=TorPhase.PROBING)
        await self._reach_itself()

    async def _reach_itself(self) -> None:
        tries = 0
        while not await self._probe_once():
            tries += 1
            if tries == _TRIES_BEFORE_A_REASON:
                self._change(reason="this node does not reach its own onion through Tor yet")
            await self._clock.sleep(_PROBES.delay(tries, 0.5))
        self._life.was_ready = True
        self._ready.set()
        self._change(phase=TorPhase.READY, reason="")

    async def _probe_once(self) -> bool:
        try:
            async with asyncio.timeout(limits.SELF_PROBE_TIMEOUT):
                return await self._probe()
        except (EnigmaError, aiohttp.ClientError, OSError):
            return False

    async def _stay_ready(self) -> None:
        while True:
            await self._clock.sleep(limits.SELF_PROBE_INTERVAL)
            if not await self._probe_once():
                self._ready.clear()
                self._change(phase=TorPhase.PROBING)
                await self._reach_itself()

    def _heard(self, event: TorEvent) -> None:
        if event.kind is EventKind.DESCRIPTOR_UPLOADED:
            if event.text == self._label:
                self._life.uploaded.set()
        elif event.kind is EventKind.STATUS:
            self._heard_status(event.text)
        else:
            self._heard_connection(event)

    def _heard_status(self, line: str) -> None:
        report = parse_bootstrap(line)
        if report is None:
            trouble = parse_trouble(line)
            if trouble is not None:
                self._change(reason=trouble)
            return
        if report.percent > self._status.percent:
            self._life.progress.set()
        self._change(percent=report.percent, tag=report.tag, summary=report.summary, reason=report.reason)
        if report.percent >= 100:
            self._life.bootstrapped.set()
            self._life.progress.set()

    def _heard_connection(self, event: TorEvent) -> None:
        life = self._life
        if event.kind is EventKind.CONNECTED:
            if life.unconnected:
                life.unconnected = False
                self._change(reason="")
            return
        trouble = connection_trouble(event.text, bootstrapped=life.bootstrapped.is_set())
        if trouble:
            life.unconnected = True
            self._change(reason=trouble)

    def _change(self, **changes: Any) -> None:
        status = replace(self._status, **changes)
        if status != self._status:
            self._status = status
            self._on_change(status)


async def _unless_it_ends(tor: process.TorProcess, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until it ends or tor does; then raises TorFailed with tor's reason."""
    ending = asyncio.create_task(tor.wait(), name="tor process")
    working = asyncio.create_task(work, name="tor control")
    try:
        await asyncio.wait({ending, working}, return_when=asyncio.FIRST_COMPLETED)
        if working.done() and not ending.done():
            # The control connection breaks a moment before a dying process is reaped: its words say more.
            await asyncio.wait({ending}, timeout=1.0)
        if ending.done():
            raise TorFailed(ending.result())
        await working
    finally:
        working.cancel()
        ending.cancel()
        await asyncio.gather(working, ending, return_exceptions=True)
