"""Mode `system`: the machine's own tor carries our onion for as long as our control connection lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.backoff import Backoff
from enigma_fed.base.errors import TorControlFailed
from enigma_fed.transports.tor import control
from enigma_fed.transports.tor.control import ControlLink, OnionTaken
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.controlwords import add_onion_line
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.public import PublicOnion
from enigma_fed.transports.tor.repair import Repair
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.transports.tor.supervision import SupervisedTor, TorNeeds, refuse_if_old

_RETRIES: Final = Backoff(first=limits.TOR_RESTART_FIRST, maximum=limits.TOR_CONTROL_RETRY_MAX, jitter=0.0)
_PROBES: Final = Backoff(first=limits.SELF_PROBE_FIRST, maximum=limits.SELF_PROBE_MAX, jitter=0.0)


@dataclass(frozen=True, slots=True)
class SystemSettings:
    """What the agent decides about a tor that is not its own."""

    places: tuple[ControlAccess, ...]
    """Control ports, looked at in this order."""
    target: Callable[[], Endpoint]
    """Where the agent listens for what comes through the onion: a TCP port, tor's user can reach no more."""
    socks: Endpoint | None = None
    """The SOCKS port; None asks tor for it."""
    virtual_port: int = 80
    chosen: str = ""
    """Why it is this mode, for the status."""


class SystemTor(SupervisedTor):
    """Mode `system`: adds our onion to a tor that others use, too, and changes nothing else about it.

    It is not taken over and gets no signal and no setting. The onion is bound to our connection,
    so nothing is left behind, however this process ends.
    """

    def __init__(self, settings: SystemSettings, key: OnionKey, needs: TorNeeds) -> None:
        status = TorStatus(TorPhase.STARTING, mode=TorMode.SYSTEM, chosen=settings.chosen)
        super().__init__(key.address, needs, status, _RETRIES, _PROBES)
        self._settings = settings
        self._key = key
        self._carried: PublicOnion | None = None
        """What was added for strangers last; a new connection may not have it any more."""

    async def _live(self) -> None:
        await control.preload()
        await self._attend(await open_first(self._settings.places, self._listener))

    async def _find_socks(self, link: ControlLink) -> Endpoint:
        return self._settings.socks or await link.socks()

    async def _publish(self, link: ControlLink) -> None:
        """Add the onion unless this very connection has it; raises OnionTaken, TorControlFailed."""
        if self._label in await link.onions():
            return
        ports = ((self._settings.virtual_port, str(self._settings.target())),)
        self._change(pow=await _add(link, self._key, ports))

    async def put_up(self, onion: PublicOnion | None, *, anew: bool) -> None:
        """Add it to this connection; what was added for strangers before goes. Raises TorControlFailed."""
        link = self._link
        if link is None:
            return
        async with self._at_work:
            carried, there = self._carried, await link.onions()
            if carried is not None and carried.label in there:
                if carried == onion and not anew:
                    return
                await link.remove_onion(carried.address)
            self._carried = None
            if onion is not None:
                await _add_public(link, onion)
                self._carried = onion

    async def _look_after(self, link: ControlLink) -> None:
        published = self._status.phase in {TorPhase.PROBING, TorPhase.READY}
        async with self._at_work:
            there, carried = await link.onions(), self._carried
            if self._label not in there and published:
                await self._publish(link)
                self._repaired("tor had lost it; it is added again")
            if carried is not None and carried == self._upkeep.onion and carried.label not in there:
                self._carried = None
                await _add_public(link, carried)
                self._carried = carried
                self._upkeep.repaired("tor had lost it; it is added again")

    async def _mend(self, link: ControlLink, repair: Repair) -> str:
        async with self._at_work:
            if self._label in await link.onions():
                await link.remove_onion(self._address)
            await self._publish(link)
        return "it is taken out of tor and added again"


async def _add_public(link: ControlLink, onion: PublicOnion) -> None:
    """Raises OnionTaken, TorControlFailed."""
    await _add(link, onion.key, tuple((entry.virtual_port, str(entry.target)) for entry in onion.entries))


async def _add(link: ControlLink, key: OnionKey, ports: tuple[tuple[int, str], ...]) -> bool:
    """Add an onion; whether callers prove work when too many come. Raises OnionTaken, TorControlFailed."""
    try:
        await link.add_onion(add_onion_line(key.expanded, ports, pow_defence=True))
    except OnionTaken:
        raise
    except TorControlFailed:  # a tor that does not know proof of work refuses the whole line
        await link.add_onion(add_onion_line(key.expanded, ports, pow_defence=False))
        return False
    return True


async def open_first(
    places: tuple[ControlAccess, ...], listener: Callable[[], Callable[[control.TorEvent], None]]
) -> ControlLink:
    """The first control port that lets us in; raises TorControlFailed with what is wrong with each."""
    troubles: list[TorControlFailed] = []
    for place in places:
        try:
            return await ControlLink.open(place, listener(), own=False)
        except TorControlFailed as error:
            troubles.append(error)
    hint = next((error.hint for error in troubles if error.hint), "")
    raise TorControlFailed("; ".join(error.detail for error in troubles), hint=hint)


async def look(places: tuple[ControlAccess, ...]) -> str:
    """Whether there is a control port that lets us in and a tor behind it that will do; its version.

    Raises TorControlFailed, TorTooOld. Nothing is changed.
    """
    await control.preload()
    link = await open_first(places, lambda: lambda event: None)
    try:
        version = await link.version()
        refuse_if_old(version)
        await link.socks()
    finally:
        await link.close()
    return version
