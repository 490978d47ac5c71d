"""Which tor this agent uses (`tor.mode`), and what that takes: looked up before anything is put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, EnigmaError, TorMissing
from enigma_fed.base.ids import OnionAddress
from enigma_fed.config import TorSection
from enigma_fed.daemon.listeners import OnionDoor, OnionPort
from enigma_fed.daemon.paths import Paths
from enigma_fed.storage import modes
from enigma_fed.storage.disk import Disk
from enigma_fed.transports.tor import socksmode, system, versions
from enigma_fed.transports.tor.binary import TorBinary, ask_abilities, default_cache, find_tor
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.folders import TorFolders, read_extra, write_onion
from enigma_fed.transports.tor.modes import NOT_LOOKED_FOR, Choice, Found, TorMode, choose
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.service import PEERS_ONION, ManagedTor, Tor, TorOff, TorSettings
from enigma_fed.transports.tor.socksmode import SocksSettings, SocksTor
from enigma_fed.transports.tor.supervision import TorNeeds
from enigma_fed.transports.tor.system import SystemSettings, SystemTor

USUAL_CONTROL: Final = (Endpoint.unix("/run/tor/control"), Endpoint("127.0.0.1", 9051))
"""Where Debian's tor has its control socket, and where others have a port."""
USUAL_SOCKS: Final = Endpoint("127.0.0.1", 9050)
CREDENTIAL: Final = "tor-control-password"
"""The systemd credential that may hold the control port's password."""


@dataclass(frozen=True, slots=True)
class TorPlan:
    """The mode that runs, and what is known for it."""

    choice: Choice
    binary: TorBinary | None = None
    torrc_extra: Path | None = None
    places: tuple[ControlAccess, ...] = ()
    socks: Endpoint | None = None
    listen: str = ""

    @property
    def mode(self) -> TorMode:
        """Never `auto`."""
        return self.choice.mode

    def door(self, paths: Paths) -> OnionDoor | None:
        """Where the agent listens for what comes through the onion; None without Tor."""
        if self.mode is TorMode.OFF:
            return None
        if self.mode is TorMode.MANAGED:
            return paths.rpc_socket
        return OnionPort(self.listen, fixed=self.mode is TorMode.SOCKS)


async def make_plan(settings: TorSection, paths: Paths, environ: Mapping[str, str]) -> TorPlan:
    """Find the tor to use; nothing is started or changed.

    Raises TorMissing, ConfigError, LooseModes for a password that others can read.
    """
    places = await asyncio.to_thread(control_places, settings, environ)
    choice = await _choose(settings, places, environ)
    if choice.mode is TorMode.MANAGED:
        extra = Path(settings.torrc_extra) if settings.torrc_extra else None
        await asyncio.to_thread(read_extra, extra)
        return TorPlan(choice, find_tor(settings.binary or None, environ, default_cache(environ)), extra)
    socks = Endpoint.parse(settings.socks) if settings.socks else None
    if choice.mode is TorMode.SOCKS:
        socks = socks or USUAL_SOCKS
    return TorPlan(choice, places=places, socks=socks, listen=settings.listen)


def make_tor(
    plan: TorPlan,
    paths: Paths,
    keys: tuple[OnionKey, OnionAddress],
    target: Callable[[], Endpoint],
    needs: TorNeeds,
) -> Tor:
    """The tor of a plan. `keys` are the onion's key and the address that peers know.

    `target` tells where the agent's OnionPort is, once it listens.
    """
    key, address = keys
    why = plan.choice.why
    if plan.mode is TorMode.SYSTEM:
        return SystemTor(SystemSettings(plan.places, target, plan.socks, chosen=why), key, needs)
    if plan.mode is TorMode.SOCKS:
        assert plan.socks is not None
        return SocksTor(SocksSettings(plan.socks, why), address, needs)
    if plan.mode is TorMode.OFF:
        return TorOff()
    assert plan.binary is not None
    settings = TorSettings(
        data_dir=paths.tor_dir,
        runtime_dir=paths.runtime_dir,
        listener_socket=paths.rpc_socket,
        binary=plan.binary,
        torrc_extra=plan.torrc_extra,
        chosen=why,
    )
    return ManagedTor(settings, key, needs)


def export_onion(paths: Paths, key: OnionKey, name: str = PEERS_ONION) -> Path:
    """Put an onion's key files where the owner can copy them into his own tor's folder; that place."""
    folder = onion_folder(paths, name)
    Disk().make_folder(folder.parent)
    write_onion(folder, key)
    return folder


def onion_folder(paths: Paths, name: str = PEERS_ONION) -> Path:
    """The HiddenServiceDir with an onion of this node."""
    return TorFolders(paths.tor_dir, paths.runtime_dir).onion(name)


def control_places(settings: TorSection, environ: Mapping[str, str]) -> tuple[ControlAccess, ...]:
    """The control ports to look at; raises ConfigError, LooseModes for the password's file."""
    password = _password(settings, environ)
    if settings.control:
        return (ControlAccess(Endpoint.parse(settings.control), password),)
    # Anyone may listen at a port that nobody named: the password is not for him.
    return tuple(
        ControlAccess(endpoint, password if endpoint.is_unix else None, named=False)
        for endpoint in USUAL_CONTROL
    )


def _password(settings: TorSection, environ: Mapping[str, str]) -> str | None:
    """The first line of the file that is named, else of the systemd credential, else None."""
    credentials = environ.get("CREDENTIALS_DIRECTORY", "")
    path = Path(settings.control_password_file or f"{credentials}/{CREDENTIAL}")
    if not settings.control_password_file and not (credentials and path.exists()):
        return None
    try:
        if settings.control_password_file:
            modes.check_file(path, path.stat())
        with modes.opened(path) as file:
            content = file.read(limits.TOR_PASSWORD_BYTES + 1)
        password = content.decode("utf-8").partition("\n")[0].rstrip("\r")
    except OSError as error:
        raise ConfigError(f"tor.control_password_file: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"tor.control_password_file: {path} is not UTF-8 text") from None
    if not password or len(content) > limits.TOR_PASSWORD_BYTES:
        raise ConfigError(f"tor.control_password_file: {path} holds no password")
    return password


async def _choose(
    settings: TorSection, places: tuple[ControlAccess, ...], environ: Mapping[str, str]
) -> Choice:
    """`choose`, with what it needs looked up in turn and no further than needed."""
    named = "tor.torrc_extra" if settings.torrc_extra else "tor.binary" if settings.binary else ""
    if settings.mode != TorMode.AUTO:
        return choose(settings.mode)
    if named:
        return Choice(TorMode.MANAGED, f"{named} is set")
    control = await look_at_control(places)
    program = NOT_LOOKED_FOR if control.usable else await asyncio.to_thread(_look_for_program, environ)
    done = control.usable or program.usable
    socks = NOT_LOOKED_FOR if done else await _look_at_socks(settings)
    return choose(settings.mode, control, program, socks)


async def look_at_control(places: tuple[ControlAccess, ...]) -> Found:
    """Whether one of the control ports lets us in."""
    try:
        version = await system.look(places)
    except EnigmaError as error:
        return Found(usable=False, words=f"no system tor ({error.detail})")
    return Found(usable=True, words=f"a control port lets this agent in (tor {version})")


def _look_for_program(environ: Mapping[str, str]) -> Found:
    try:
        binary = find_tor(None, environ, default_cache(environ))
    except TorMissing as error:
        return Found(usable=False, words=f"no tor program ({error.detail})")
    version = ask_abilities(binary).version
    trouble = versions.too_old(version) if version else "it does not run"
    if trouble:
        return Found(usable=False, words=f"{binary.path} will not do ({trouble})")
    return Found(usable=True, words=f"{binary.path} is there")


async def _look_at_socks(settings: TorSection) -> Found:
    endpoint = Endpoint.parse(settings.socks) if settings.socks else USUAL_SOCKS
    if await socksmode.answers(endpoint):
        return Found(usable=True, words=f"a SOCKS port answers at {endpoint}")
    return Found(usable=False, words=f"no SOCKS port (nothing answers at {endpoint})")
