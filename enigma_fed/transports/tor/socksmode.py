"""Mode `socks`: a tor that we reach by its SOCKS port alone; its owner keeps the onion up by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.backoff import Backoff
from enigma_fed.base.errors import TorFailed
from enigma_fed.base.ids import OnionAddress
from enigma_fed.transports.tor.control import ControlLink
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.public import PublicOnion
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.transports.tor.supervision import SupervisedTor, TorNeeds, first_to_end

_RETRIES: Final = Backoff(first=limits.TOR_RESTART_FIRST, maximum=limits.TOR_CONTROL_RETRY_MAX, jitter=0.0)
# Nobody but the owner can mend that onion: asking often would not help.
_PROBES: Final = Backoff(first=1, maximum=60, jitter=0.0)
_GREETING: Final = b"\x05\x01\x00"
_ANSWER: Final = b"\x05\x00"


@dataclass(frozen=True, slots=True)
class SocksSettings:
    """Where that tor listens, and why it is this mode."""

    socks: Endpoint
    chosen: str = ""


class SocksTor(SupervisedTor):
    """Mode `socks`: calls go out as soon as the SOCKS port answers; `ready` is when the onion does, too."""

    hears_uploads = False

    def __init__(self, settings: SocksSettings, address: OnionAddress, needs: TorNeeds) -> None:
        status = TorStatus(TorPhase.STARTING, mode=TorMode.SOCKS, chosen=settings.chosen)
        super().__init__(address, needs, status, _RETRIES, _PROBES)
        self._settings = settings

    async def _live(self) -> None:
        try:
            await self._check_socks()
            self._socks = self._settings.socks
            self._change(phase=TorPhase.PUBLISHING, reason="")
            await first_to_end(self._watch_socks(), self._reach_and_stay(), self._upkeep.keep(self))
        finally:
            self._ready.clear()
            self._socks = None

    async def _publish(self, link: ControlLink) -> None:
        """Its owner does."""

    async def put_up(self, onion: PublicOnion | None, *, anew: bool) -> None:
        """Its owner does."""

    async def _reach_and_stay(self) -> None:
        await self._reach_itself()
        await self._stay_ready()

    async def _watch_socks(self) -> None:
        while True:
            await asyncio.sleep(limits.TOR_HEARTBEAT)
            await self._check_socks()

    async def _check_socks(self) -> None:
        if not await answers(self._settings.socks):
            raise TorFailed(f"nothing answers at its SOCKS port {self._settings.socks}")


async def answers(endpoint: Endpoint) -> bool:
    """Whether something speaks SOCKS 5 there and asks for no password; nothing is dialled through it."""
    try:
        async with asyncio.timeout(limits.TOR_CONTROL_DEADLINE):
            reader, writer = await _open(endpoint)
            try:
                writer.write(_GREETING)
                return await reader.readexactly(len(_ANSWER)) == _ANSWER
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError):
        return False


async def _open(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if endpoint.is_unix:
        return await asyncio.open_unix_connection(endpoint.path)
    return await asyncio.open_connection(endpoint.host, endpoint.port)
