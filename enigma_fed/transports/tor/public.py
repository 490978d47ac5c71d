"""The onion for strangers: what it carries, and keeping it up beside the one for peers.

Services join it, each with a virtual port of its own and a listener that serves nothing else. Nothing of
the node itself is on it, and nothing that goes wrong with it ends the life of a tor: peers come first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeAlias

import python_socks

from enigma_fed.base import limits
from enigma_fed.base.backoff import Backoff
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import ConfigError, EnigmaError
from enigma_fed.base.ids import OnionAddress
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.proxied import connect_through
from enigma_fed.transports.tor.repair import Ladder
from enigma_fed.transports.tor.status import PublicPhase, PublicStatus

_log = logging.getLogger(__name__)

PEERS_PORT: Final = 80
"""The virtual port of the agent's RPC, on the onion for peers alone."""
_RETRIES: Final = Backoff(first=limits.TOR_RESTART_FIRST, maximum=limits.TOR_RESTART_MAX, jitter=0.0)
_PROBES: Final = Backoff(first=limits.SELF_PROBE_FIRST, maximum=limits.SELF_PROBE_MAX, jitter=0.0)
_TRIES_BEFORE_A_REASON: Final = 8


@dataclass(frozen=True, slots=True)
class OnionEntry:
    """One service: the virtual port that strangers call, and the listener that it leads to."""

    virtual_port: int
    target: Endpoint
    """A Unix socket where the tor is our own, else a loopback port."""


@dataclass(frozen=True, slots=True)
class PublicOnion:
    """The whole onion; raises ConfigError without entries, for a port twice, and for that of the RPC."""

    key: OnionKey
    entries: tuple[OnionEntry, ...]

    def __post_init__(self) -> None:
        ports = [entry.virtual_port for entry in self.entries]
        if not ports or len(set(ports)) != len(ports):
            raise ConfigError("an onion for strangers has one service for each of its ports")
        if PEERS_PORT in ports or not all(0 < port <= 0xFFFF for port in ports):
            raise ConfigError(f"a service for strangers has a port of its own, never {PEERS_PORT}")

    @property
    def address(self) -> OnionAddress:
        """Where strangers call."""
        return self.key.address

    @property
    def label(self) -> str:
        """The address as tor's events name it: 56 characters."""
        return str(self.address).removesuffix(".onion")


class Hands(Protocol):
    """What a tor can do for the onion, in the life that runs."""

    @property
    def socks(self) -> Endpoint | None: ...  # noqa: D102

    @property
    def hears_uploads(self) -> bool:
        """Whether this tor tells of each descriptor that it uploaded."""
        ...

    async def put_up(self, onion: PublicOnion | None, *, anew: bool) -> None:
        """Carry this onion and no other for strangers; `anew` takes it out first. Raises TorError."""
        ...

    async def ask_for(self, onion: OnionAddress) -> None:
        """Look it up again, whatever tor remembers."""
        ...

    async def may_mend(self) -> bool:
        """Whether a repair can help: tor has circuits, and the onion is ours to mend."""
        ...


Reach: TypeAlias = Callable[[Endpoint, OnionAddress, int, str], Awaitable[None]]
"""Opens a connection to a port of an onion under a SOCKS user name; an error when it cannot."""


async def reach(socks: Endpoint, onion: OnionAddress, port: int, user: str) -> None:
    """Open a connection and close it: tor says yes once the service has taken it.

    Raises python_socks.ProxyError, OSError, EOFError, TimeoutError.
    """
    transport, _ = await connect_through(socks, user, (str(onion), port), limits.SELF_PROBE_TIMEOUT, _Nothing)
    transport.abort()


class _Nothing(asyncio.Protocol):
    """Says nothing, hears nothing."""


class Upkeep:
    """Keeps the onion for strangers up through one life of a tor after the other."""

    def __init__(self, clock: Clock, reach: Reach, tell: Callable[[PublicStatus], None]) -> None:
        """`tell` hears every new status."""
        self._clock = clock
        self._reach = reach
        self._tell = tell
        self._status = PublicStatus()
        self._uploaded = asyncio.Event()
        self._changed = asyncio.Event()
        self.onion: PublicOnion | None = None
        """What is to be carried; None for nothing."""

    def change(self, onion: PublicOnion | None) -> None:
        """Carry another one from now on."""
        if onion != self.onion:
            self.onion = onion
            self._uploaded.clear()
            self._changed.set()

    def heard_upload(self, label: str) -> None:
        """Tor uploaded a descriptor of the onion with these 56 characters."""
        if self.onion is not None and label == self.onion.label:
            self._uploaded.set()

    def repaired(self, words: str) -> None:
        """Something was done because the onion was lost or did not answer."""
        _log.warning("the onion for strangers: %s", words)
        self._change(repairs=self._status.repairs + 1, last_repair=words)

    async def keep(self, hands: Hands) -> None:
        """Runs until it is cancelled: whatever fails is tried again after a pause."""
        failures = 0
        try:
            while True:
                self._changed.clear()
                try:
                    await self._carry(hands, self.onion)
                    failures = 0
                except EnigmaError as error:
                    failures += 1
                    self._change(phase=PublicPhase.SILENT, reason=str(error))
                    await self._pause(_RETRIES.delay(failures, 0.5))
        finally:
            self._uploaded.clear()
            phase = PublicPhase.OFF if self.onion is None else PublicPhase.PUBLISHING
            self._change(phase=phase, reason="")

    async def _carry(self, hands: Hands, onion: PublicOnion | None) -> None:
        """Put one onion up and look after it until it is to be another; raises EnigmaError."""
        if onion is None:
            await hands.put_up(None, anew=False)
            self._change(phase=PublicPhase.OFF, reason="")
            await self._changed.wait()
            return
        self._change(phase=PublicPhase.PUBLISHING, reason="")
        await hands.put_up(onion, anew=False)
        if hands.hears_uploads:
            await self._first_of(self._uploaded, limits.TOR_STALL)
        await hands.ask_for(onion.address)
        await self._look_after(hands, onion)

    async def _look_after(self, hands: Hands, onion: PublicOnion) -> None:
        ladder, tries, since = Ladder(), 0, self._clock.boot()
        while not self._changed.is_set():
            if await self._is_reached(hands, onion, tries):
                ladder, tries = Ladder(), 0
                self._change(phase=PublicPhase.READY, reason="")
                await self._pause(limits.SELF_PROBE_INTERVAL)
                since = self._clock.boot()
                continue
            tries += 1
            if tries == _TRIES_BEFORE_A_REASON:
                self._change(phase=PublicPhase.SILENT, reason="this node does not reach it through Tor")
            if ladder.due(self._clock.boot() - since) and await hands.may_mend():
                ladder, since = ladder.climbed(), self._clock.boot()
                await hands.put_up(onion, anew=True)
                self.repaired("it did not answer, and is taken out and in again")
            await hands.ask_for(onion.address)
            await self._pause(_PROBES.delay(tries, 0.5))

    async def _is_reached(self, hands: Hands, onion: PublicOnion, turn: int) -> bool:
        """Whether a service of it takes a connection through Tor, by a circuit of its own."""
        socks = hands.socks
        if socks is None:
            return False
        entry = onion.entries[turn % len(onion.entries)]
        user = f"strangers-{self._clock.boot():.3f}"
        try:
            async with asyncio.timeout(limits.SELF_PROBE_TIMEOUT):
                await self._reach(socks, onion.address, entry.virtual_port, user)
        except (python_socks.ProxyError, EnigmaError, OSError, EOFError):
            return False
        return True

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until the onion is to be another one."""
        waiting = [
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(self._changed.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    @staticmethod
    async def _first_of(event: asyncio.Event, seconds: float) -> None:
        """An event that is missed must not hold us up for ever."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return

    def _change(self, **changes: Any) -> None:
        status = replace(self._status, **changes)
        if status != self._status:
            self._status = status
            self._tell(status)
