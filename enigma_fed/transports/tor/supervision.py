"""What every tor has in common: lives that are followed to `ready`, watched, mended, and begun again."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final

import aiohttp

from enigma_fed.base import limits
from enigma_fed.base.backoff import Backoff
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import ConfigError, EnigmaError, TorControlFailed, TorFailed, TorTooOld
from enigma_fed.base.ids import OnionAddress
from enigma_fed.base.tasks import Tasks
from enigma_fed.transports.tor import versions
from enigma_fed.transports.tor.bootstrap import connection_trouble, parse_bootstrap, parse_trouble
from enigma_fed.transports.tor.control import ControlLink, EventKind, TorEvent
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.public import PublicOnion, Reach, Upkeep, reach
from enigma_fed.transports.tor.repair import Ladder, Repair
from enigma_fed.transports.tor.status import TorPhase, TorStatus

_log = logging.getLogger(__name__)

_TRIES_BEFORE_A_REASON: Final = 8


@dataclass(frozen=True, slots=True)
class TorNeeds:
    """What a tor is given by the agent.

    `probe` makes one try to reach this node through its own onion: True when it did, False when
    something else answered there, an error when nothing did. `on_change` hears every new status.
    """

    tasks: Tasks
    clock: Clock
    probe: Callable[[], Awaitable[bool]]
    on_change: Callable[[TorStatus], None]
    reach: Reach = reach
    """Opens a connection to the onion for strangers."""


class Life:
    """What has happened since tor, or the connection to it, was started last."""

    def __init__(self) -> None:
        self.progress = asyncio.Event()
        self.bootstrapped = asyncio.Event()
        self.uploaded = asyncio.Event()
        self.closed = asyncio.Event()
        self.was_ready = False
        self.unconnected = False
        """The newest word about connections to relays was that they fail."""


class SupervisedTor(ABC):
    """Begins anew whenever a life ends. The onion stays the same; `socks` may change with each.

    `socks` is None while nothing can be sent through Tor.
    """

    AGAIN = "it is tried again"
    """What follows the end of a life, for the status."""
    hears_uploads = True
    """Whether tor tells of each descriptor that it uploaded."""

    def __init__(
        self,
        address: OnionAddress,
        around: TorNeeds,
        status: TorStatus,
        restarts: Backoff,
        probes: Backoff,
    ) -> None:
        self._address = address
        self._label = str(address).removesuffix(".onion")
        self._around = around
        self._clock = around.clock
        self._status = status
        self._restarts = restarts
        self._probes = probes
        self._socks: Endpoint | None = None
        self._link: ControlLink | None = None
        self._life = Life()
        self._ladder = Ladder()
        self._ready = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._upkeep = Upkeep(around.clock, around.reach, lambda public: self._change(public=public))
        self._at_work = asyncio.Lock()
        """No two changes of what tor carries ever meet half way."""

    @property
    def status(self) -> TorStatus:
        """How far Tor is now."""
        return self._status

    @property
    def socks(self) -> Endpoint | None:
        """Where to send what goes through Tor; None while Tor has no network."""
        return self._socks

    async def start(self) -> None:
        """Begin in the background; returns at once."""
        self._supervisor = self._around.tasks.start("tor", self._supervise())

    async def close(self) -> None:
        """End the life that runs, and begin no other."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait({self._supervisor})

    async def wait_ready(self) -> None:
        """Return once the node can be reached through its onion."""
        await self._ready.wait()

    def publish(self, onion: PublicOnion | None) -> None:
        """Carry this onion for strangers from now on, None for none; tried until tor takes it.

        Raises ConfigError when it is the onion for peers.
        """
        if onion is not None and onion.address == self._address:
            raise ConfigError("the onion for strangers needs a key of its own")
        self._upkeep.change(onion)

    def look_again(self, onion: OnionAddress) -> None:
        """Look an onion up that was not published a moment ago, so that the next call to it may succeed.

        Left to itself, tor does not ask the same directory again for 15 minutes: a peer that was
        away would be missed for that long after its return.
        """
        if self._link is not None:
            self._around.tasks.start("look-up of an onion", self._fetch(self._link, onion))

    async def _fetch(self, link: ControlLink, onion: OnionAddress) -> None:
        try:
            await link.fetch_descriptor(onion)
        except TorControlFailed as error:
            _log.info("%s was not looked up again: %s", onion.short, error)

    async def _supervise(self) -> None:
        failures = 0
        failure: EnigmaError = TorFailed()
        while True:
            self._life = Life()
            self._change(phase=TorPhase.STARTING)
            try:
                await self._live()
            except EnigmaError as error:
                failure = error
            except Exception:  # noqa: BLE001 - a fault of ours must not end the supervision
                _log.exception("the supervision of tor failed")
                failure = TorFailed("a fault inside the agent")
            failures = 1 if self._life.was_ready else failures + 1
            pause = self._restarts.delay(failures, 0.5)
            _log.warning("%s; next try in %d s", failure, pause)
            self._died(failure)
            await self._clock.sleep(pause)

    def _died(self, error: EnigmaError) -> None:
        self._change(
            phase=TorPhase.FAILED,
            percent=0,
            tag="",
            summary="",
            reason=f"{error}; {self.AGAIN}",
            pid=None,
            restarts=self._status.restarts + 1,
        )

    @abstractmethod
    async def _live(self) -> None:
        """One life; always ends with an EnigmaError or a cancellation."""

    @abstractmethod
    async def _publish(self, link: ControlLink) -> None:
        """Give the onion to a tor that does not have it from its torrc; raises TorControlFailed."""

    @abstractmethod
    async def put_up(self, onion: PublicOnion | None, *, anew: bool) -> None:
        """Carry this onion and no other for strangers; `anew` takes it out first. Raises TorError."""

    async def ask_for(self, onion: OnionAddress) -> None:
        """Look an onion of ours up: a tor that lived on may remember meeting points that are gone."""
        if self._link is not None:
            await self._fetch(self._link, onion)

    async def may_mend(self) -> bool:
        """Whether tor has circuits: without them no repair helps. Raises TorControlFailed."""
        return self._link is not None and await self._link.has_circuits()

    async def _look_after(self, link: ControlLink) -> None:
        """Asked every limits.TOR_HEARTBEAT: an answer is enough, a missing onion is put back."""
        await link.version()

    async def _mend(self, link: ControlLink, repair: Repair) -> str:
        """Do a RELOAD or RENEW; what was done, in words. Raises TorControlFailed, TorFailed."""
        raise TorFailed("its onion cannot be reached")

    async def _attend(self, link: ControlLink) -> None:
        """Follow tor for as long as the connection lives; ends with a TorError."""
        self._link = link
        try:
            await first_to_end(self._watch(link), self._follow(link))
        finally:
            self._ready.clear()
            self._socks = None
            self._link = None
            await link.close()

    async def _watch(self, link: ControlLink) -> None:
        closed = asyncio.ensure_future(self._life.closed.wait())
        try:
            while True:
                await asyncio.wait({closed}, timeout=limits.TOR_HEARTBEAT)
                if closed.done():
                    raise TorControlFailed("its connection was closed")
                await self._look_after(link)
        finally:
            closed.cancel()

    async def _follow(self, link: ControlLink) -> None:
        version = await link.version()
        self._change(phase=TorPhase.BOOTSTRAPPING, reason="", version=version)
        refuse_if_old(version)
        self._heard(TorEvent(EventKind.STATUS, await link.bootstrap_line()))
        await self._watch_bootstrap()
        self._socks = await self._find_socks(link)
        await self._publish(link)
        await first_to_end(self._be_reached(), self._upkeep.keep(self))

    async def _find_socks(self, link: ControlLink) -> Endpoint:
        return await link.socks()

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

    async def _be_reached(self) -> None:
        await self._become_ready()
        await self._stay_ready()

    async def _become_ready(self) -> None:
        self._change(phase=TorPhase.PUBLISHING)
        try:
            # A missed event must not hold us up for ever: a probe that succeeds proves the same.
            async with asyncio.timeout(limits.TOR_STALL):
                await self._life.uploaded.wait()
        except TimeoutError:
            self._change(reason="the onion address could not be published yet")
        await self.ask_for(self._address)
        await self._reach_itself()

    async def _stay_ready(self) -> None:
        while True:
            await self._clock.sleep(limits.SELF_PROBE_INTERVAL)
            if await self._probe_once() is not True:
                await self._reach_itself()

    async def _reach_itself(self) -> None:
        """Try until the node answers at its own onion; repairs come in between when it does not."""
        self._ready.clear()
        self._change(phase=TorPhase.PROBING)
        tries, since = 0, self._clock.boot()
        while not (reached := await self._probe_once()):
            tries += 1
            if tries == _TRIES_BEFORE_A_REASON:
                self._change(reason="this node does not reach its own onion through Tor yet")
            repair = self._ladder.due(self._clock.boot() - since)
            # Where another copy of this node answers, a repair would only tear the onion to and fro.
            if reached is None and repair is not None:
                await self._repair(repair)
                since = self._clock.boot()
            if tries <= _TRIES_BEFORE_A_REASON:
                await self.ask_for(self._address)
            await self._clock.sleep(self._probes.delay(tries, 0.5))
        self._ladder = Ladder()
        self._life.was_ready = True
        self._ready.set()
        self._change(phase=TorPhase.READY, reason="")

    async def _repair(self, repair: Repair) -> None:
        """One repair, told in one line; raises TorError, which ends this life and so is the last of them."""
        link = self._link
        if link is None:
            return
        if not await link.has_circuits():
            self._change(reason="Tor has lost its network")
            return
        self._ladder = self._ladder.climbed()
        if repair is Repair.RESTART:
            self._repaired("tor is begun anew")
            raise TorFailed("its onion cannot be reached")
        self._repaired(await self._mend(link, repair))

    def _repaired(self, words: str) -> None:
        _log.warning("the onion does not answer this node: %s", words)
        self._change(repairs=self._status.repairs + 1, last_repair=words)

    async def _probe_once(self) -> bool | None:
        """True: reached ourselves; False: something else answered; None: nothing did."""
        try:
            async with asyncio.timeout(limits.SELF_PROBE_TIMEOUT):
                return await self._around.probe()
        except (EnigmaError, aiohttp.ClientError, OSError):
            return None

    def _listener(self) -> Callable[[TorEvent], None]:
        """Hears the events of the life that runs now, and nothing any more once another has begun."""
        life = self._life
        return lambda event: self._heard(event) if life is self._life else None

    def _heard(self, event: TorEvent) -> None:
        if event.kind is EventKind.DESCRIPTOR_UPLOADED:
            if event.text == self._label:
                self._life.uploaded.set()
            self._upkeep.heard_upload(event.text)
        elif event.kind is EventKind.STATUS:
            self._heard_status(event.text)
        elif event.kind is EventKind.CLOSED:
            self._life.closed.set()
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
            self._around.on_change(status)


def refuse_if_old(version: str) -> None:
    """Raises TorTooOld."""
    trouble = versions.too_old(version)
    if trouble:
        raise TorTooOld(trouble, hint="Update the tor package.")


async def first_to_end(*work: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends, with its error if it has one; the others are cancelled and awaited."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
