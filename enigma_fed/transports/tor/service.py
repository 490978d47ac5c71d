"""Tor as a part of the agent: what the agent sees of it, and a tor process of our own."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from enigma_fed.base import limits
from enigma_fed.base.backoff import Backoff
from enigma_fed.base.errors import TorControlFailed, TorFailed
from enigma_fed.base.ids import OnionAddress
from enigma_fed.transports.tor import control, process
from enigma_fed.transports.tor.binary import TorBinary, ask_abilities
from enigma_fed.transports.tor.control import ControlLink
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.folders import OnionService, TorFolders, candidate, lock_is_free, prepare
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.public import PublicOnion
from enigma_fed.transports.tor.repair import Repair
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.transports.tor.supervision import SupervisedTor, TorNeeds, refuse_if_old
from enigma_fed.transports.tor.verify import verify_torrc

_RESTARTS: Final = Backoff(first=limits.TOR_RESTART_FIRST, maximum=limits.TOR_RESTART_MAX, jitter=0.0)
_PROBES: Final = Backoff(first=limits.SELF_PROBE_FIRST, maximum=limits.SELF_PROBE_MAX, jitter=0.0)
PEERS_ONION: Final = "peers"
"""The folder of the onion for peers."""
PUBLIC_ONION: Final = "public"
"""The folder of the onion for strangers."""


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
    chosen: str = ""
    """Why it is this mode, for the status."""


class Tor(Protocol):
    """What the agent sees of Tor, in every mode."""

    @property
    def status(self) -> TorStatus: ...  # noqa: D102

    @property
    def socks(self) -> Endpoint | None: ...  # noqa: D102

    async def start(self) -> None: ...  # noqa: D102

    async def close(self) -> None: ...  # noqa: D102

    async def wait_ready(self) -> None: ...  # noqa: D102

    def publish(self, onion: PublicOnion | None) -> None: ...  # noqa: D102

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

    def publish(self, onion: PublicOnion | None) -> None:
        """Nothing can be published."""

    def look_again(self, onion: OnionAddress) -> None:
        """Nothing can be looked up."""


class ManagedTor(SupervisedTor):
    """Mode `managed`: launches tor, follows it to `ready`, and starts it again when it ends or hangs."""

    AGAIN = "it is started again"

    def __init__(self, settings: TorSettings, key: OnionKey, around: TorNeeds) -> None:
        status = TorStatus(TorPhase.STARTING, mode=TorMode.MANAGED, chosen=settings.chosen)
        super().__init__(key.address, around, status, _RESTARTS, _PROBES)
        self._settings = settings
        self._folders = TorFolders(settings.data_dir, settings.runtime_dir)
        self._own = OnionService(PEERS_ONION, key, ((settings.virtual_port, settings.listener_socket),))
        self._written: PublicOnion | None = None
        """What the torrc carries for strangers."""
        self._preparing: asyncio.Future[None] | None = None
        """A thread writes the folders; it goes on when whoever waits for it is cancelled."""

    async def close(self) -> None:
        """Stop tor; returns when the process has ended and its control socket is gone."""
        await super().close()
        if self._preparing is not None:  # or it would put back what is removed here
            await asyncio.gather(self._preparing, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, self._folders.control_folder, ignore_errors=True)

    async def put_up(self, onion: PublicOnion | None, *, anew: bool) -> None:
        """Have the torrc carry it, and tor read that; nobody's connection is disturbed.

        Raises TorFailed, TorControlFailed.
        """
        async with self._at_work:
            if anew:
                await self._rewrite(self._own)
            elif onion == self._written:
                return
            await self._rewrite(*self._onions(onion))
            self._written = onion

    def _onions(self, public: PublicOnion | None) -> tuple[OnionService, ...]:
        return (self._own,) if public is None else (self._own, _as_service(public))

    async def _rewrite(self, *onions: OnionService) -> None:
        """Write the torrc again and make tor read it; raises TorFailed, TorControlFailed."""
        await self._prepare(*onions)
        if self._link is not None:
            await self._link.reload()

    async def change_extra(self, extra: Path | None) -> bool:
        """Take over the owner's torrc lines as they are now; whether they are other ones.

        Raises ConfigError when tor refuses them, TorFailed; then the old ones stay.
        """
        onions, defence = self._onions(self._written), bool(self._status.pow)
        torrc = await asyncio.to_thread(candidate, self._folders, onions, extra, pow_defence=defence)
        if torrc is not None:
            try:
                await verify_torrc(self._settings.binary, torrc)
            finally:
                await asyncio.to_thread(torrc.unlink, missing_ok=True)
        self._settings = replace(self._settings, torrc_extra=extra)
        if torrc is not None:
            with contextlib.suppress(TorControlFailed):  # a tor without a control connection starts anew
                async with self._at_work:
                    await self._rewrite(*self._onions(self._written))
        return torrc is not None

    async def _live(self) -> None:
        await self._ask_program()
        self._written = self._upkeep.onion
        await self._prepare(*self._onions(self._written))
        await self._wait_for_left_over()
        tor = await process.TorProcess.launch(self._settings.binary, self._folders.torrc)
        try:
            self._change(pid=tor.pid)
            await _unless_it_ends(tor, self._open_and_attend())
        finally:
            await tor.stop()

    async def _ask_program(self) -> None:
        """Which defences this tor knows; raises TorTooOld. An update comes with the next start."""
        abilities = await asyncio.to_thread(ask_abilities, self._settings.binary)
        refuse_if_old(abilities.version)
        self._change(version=abilities.version, pow=abilities.pow)

    async def _wait_for_left_over(self) -> None:
        """The tor of an agent that was killed needs a moment to notice, and holds the folder so long."""
        if not await asyncio.to_thread(lock_is_free, self._folders.data_directory):
            self._change(reason="another tor process still uses its folder; waiting for it to end")
            await process.wait_for_free_lock(self._folders.data_directory)

    async def _prepare(self, *onions: OnionService) -> None:
        extra, defence = self._settings.torrc_extra, bool(self._status.pow)
        writing = asyncio.to_thread(prepare, self._folders, onions, extra, pow_defence=defence)
        self._preparing = asyncio.ensure_future(writing)
        await asyncio.shield(self._preparing)

    async def _open_and_attend(self) -> None:
        await asyncio.gather(control.preload(), process.wait_for_socket(self._folders.control_socket))
        access = ControlAccess(Endpoint.unix(str(self._folders.control_socket)))
        await self._attend(await ControlLink.open(access, self._listener(), own=True))

    async def _publish(self, link: ControlLink) -> None:
        """Its torrc has the onion."""

    async def _mend(self, link: ControlLink, repair: Repair) -> str:
        async with self._at_work:
            if repair is Repair.RELOAD:
                await self._rewrite(*self._onions(self._written))
                return "tor reads its torrc again"
            public = self._onions(self._written)[1:]
            await self._rewrite(*public)
            await self._rewrite(self._own, *public)
        return "tor takes it out and in again"


def _as_service(onion: PublicOnion) -> OnionService:
    """Our own tor tells the circuit of each connection, and that only to Unix sockets of ours."""
    assert all(entry.target.is_unix for entry in onion.entries)
    ports = tuple((entry.virtual_port, Path(entry.target.path)) for entry in onion.entries)
    return OnionService(PUBLIC_ONION, onion.key, ports)


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
