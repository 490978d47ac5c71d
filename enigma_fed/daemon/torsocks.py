"""The SOCKS port for a command that calls an onion by itself: of the running agent's tor, or of another."""

from __future__ import annotations

from collections.abc import Mapping

from enigma_fed.base.errors import NoWayOut, TorControlFailed
from enigma_fed.config import TorSection
from enigma_fed.daemon.paths import Paths
from enigma_fed.daemon.torplan import USUAL_SOCKS, control_places
from enigma_fed.transports.tor import control, socksmode
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.folders import TorFolders
from enigma_fed.transports.tor.system import open_first


async def find_socks(settings: TorSection, paths: Paths, environ: Mapping[str, str]) -> Endpoint:
    """`tor.socks`, else what the tor of this node's agent listens on, the machine's tor, the usual port.

    Nothing is started or changed. Raises NoWayOut, ConfigError.
    """
    if settings.mode == "off":
        raise NoWayOut('tor.mode is "off"', hint="Name a SOCKS port of a tor: --socks 127.0.0.1:9050")
    if settings.socks:
        return Endpoint.parse(settings.socks)
    own = TorFolders(paths.tor_dir, paths.runtime_dir).control_socket
    places = [ControlAccess(Endpoint.unix(str(own)))] if own.exists() else []
    if settings.mode in ("auto", "system"):
        places += control_places(settings, environ)
    found = await _asked(tuple(places))
    if found is None and await socksmode.answers(USUAL_SOCKS):
        found = USUAL_SOCKS
    if found is None:
        raise NoWayOut(
            "no tor is running for it",
            hint="Start the agent (enigma-fed run), or name a SOCKS port: --socks 127.0.0.1:9050",
        )
    return found


async def _asked(places: tuple[ControlAccess, ...]) -> Endpoint | None:
    """Where the first tor that lets us in listens for SOCKS."""
    if not places:
        return None
    await control.preload()
    try:
        link = await open_first(places, lambda: lambda event: None)
    except TorControlFailed:
        return None
    try:
        return await link.socks()
    except TorControlFailed:
        return None
    finally:
        await link.close()
