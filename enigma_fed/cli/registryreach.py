"""How a command reaches a registry: its flags, the settings of a named one, Tor for onions, proof of work."""

from __future__ import annotations

import asyncio
import os
import shlex
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from enigma_fed.base.errors import EnigmaError, UsageError
from enigma_fed.base.registry_client_errors import IdentityRefused, NotOffered, RegistryAnswerBroken
from enigma_fed.base.registry_errors import (
    FeatureDisabled,
    InputRefused,
    InternalFault,
    RateLimited,
    RegistryError,
    Unauthorized,
    Unavailable,
)
from enigma_fed.cli.context import CliContext

if TYPE_CHECKING:
    import aiohttp

    from enigma_fed.daemon.paths import Paths
    from enigma_fed.registry.client import RegistryClient
    from enigma_fed.registry.clientplace import Place
    from enigma_fed.registry.clientsettings import NamedRegistry
    from enigma_fed.registry.clientstores import ClientStores
    from enigma_fed.registry.clienttls import TlsFiles

T = TypeVar("T")
FOLDER: Final = "registry-identities"
NAMES: Final = "registries.toml"
_SEALED: Final = "envelope.ciphertext"
"""What a registry names when an envelope does not open."""
_ISOLATION_BYTES: Final = 32
_FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True, slots=True)
class Reach:
    """The flags of a command that asks a registry."""

    url: str | None
    pepper_file: Path | None
    ca: Path | None
    cert: Path | None
    key: Path | None
    socks: str | None
    allow_http: bool
    wait: int
    pow_seconds: int


def reach_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags of `Reach`, which it gets as `reach`."""

    def with_reach(**given: Any) -> Any:
        names = Reach.__dataclass_fields__
        reach = Reach(**{name: given.pop(name) for name in names})
        return function(reach=reach, **given)

    with_reach.__doc__ = function.__doc__
    with_reach.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    decorated: Callable[..., Any] = with_reach
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


_OPTIONS: Final = (
    click.option("--url", metavar="URL", help="The registry: https://HOST:PORT, http://….onion:8443, or its "
                 f"name in {NAMES}."),
    click.option("--pepper-file", type=_FILE, metavar="FILE", help="File with the registry's pepper."),
    click.option("--ca", type=_FILE, metavar="FILE", help="Trust this authority (PEM), and no other."),
    click.option("--cert", type=_FILE, metavar="FILE", help="Show this certificate (PEM)."),
    click.option("--key", type=_FILE, metavar="FILE", help="The certificate's key (PEM)."),
    click.option("--socks", metavar="ADDR:PORT", help="SOCKS port of a tor, for onions; else looked for."),
    click.option("--allow-http", is_flag=True, help="Speak plain HTTP to another machine."),
    click.option("--wait", metavar="SECONDS", type=click.IntRange(0, 86_400), default=30, show_default=True,
                 help="How long to wait when the registry asks for it."),
    click.option("--pow-seconds", metavar="SECONDS", type=click.IntRange(1, 86_400), default=60,
                 show_default=True, help="How long to work on one proof of work."),
)  # fmt: skip


_NEXT: Final[tuple[tuple[type[EnigmaError], str], ...]] = (
    (Unauthorized, "It does this for those alone whom its operator allows."),
    (FeatureDisabled, "Its operator switched that off; another registry may do it."),
    (RateLimited, "Try again in a moment. To let the command wait: --wait SECONDS"),
    (Unavailable, "Try again in a moment. To let the command wait: --wait SECONDS"),
    (InternalFault, "Try again later; its operator's log may say more."),
    (NotOffered, "Another registry may offer it."),
    (IdentityRefused, "Do not use it. Its operator can say more; another registry may have it."),
    (RegistryAnswerBroken, "Look whether that URL is a registry's; its operator may say more."),
    (RegistryError, "Look whether that URL is a registry's; its operator's log may say more."),
)


class Reached:
    """One registry for one command: where it is, what is kept about it, and how to ask it."""

    def __init__(self, here: CliContext, reach: Reach) -> None:
        from enigma_fed.cli import wiring
        from enigma_fed.registry import clientsettings
        from enigma_fed.registry.clientplace import Place

        self._here = here
        self._paths = wiring.node_paths(here.flags)
        self.stores = open_stores(self._paths)
        named = _named(reach, clientsettings.load(self.stores.folder / NAMES))
        self._reach, self._named = reach, named
        url = named.url if named is not None else reach.url or ""
        allowed = reach.allow_http or (named is not None and named.allow_http)
        self.place: Place = Place.parse(url, allow_http=allowed)

    @property
    def url(self) -> str:
        """Its URL."""
        return self.place.url

    @property
    def flags(self) -> str:
        """How the command line named it: for the commands that hints show."""
        given = {
            "--url": self._reach.url or self.url,
            "--pepper-file": self._reach.pepper_file,
            "--ca": self._reach.ca,
            "--cert": self._reach.cert,
            "--key": self._reach.key,
            "--socks": self._reach.socks,
        }
        named = [f"{flag} {shlex.quote(str(value))}" for flag, value in given.items() if value is not None]
        return " ".join([*named, *(["--allow-http"] if self._reach.allow_http else [])])

    def ask(self, work: Callable[[RegistryClient], Awaitable[T]]) -> T:
        """What the work with it gives; progress is shown when it takes long."""
        from enigma_fed.cli import output

        what = "over Tor, this can take a minute" if self.place.onion else "the registry"
        try:
            with output.progress(f"asking {what}"):
                return asyncio.run(self._ask(work))
        except EnigmaError as error:
            error.hint = error.hint or next_step(error)
            raise

    async def _ask(self, work: Callable[[RegistryClient], Awaitable[T]]) -> T:
        from enigma_fed.base.clock import SystemClock
        from enigma_fed.cli.powbar import shown_solver
        from enigma_fed.registry.client import RegistryClient
        from enigma_fed.registry.clientcalls import Calls, Patience
        from enigma_fed.registry.clienthttp import connected

        pepper = self.pepper()
        make_session = await self._session_maker()
        patience = Patience(wait=self._reach.wait, pow_seconds=self._reach.pow_seconds)
        async with connected(self.place, make_session) as http:
            calls = Calls(http, SystemClock(), shown_solver, patience)
            client = RegistryClient(calls, pepper, os.urandom, lambda: time.time_ns() // 1_000_000)
            return await work(client)

    def pepper(self) -> bytes | None:
        """The registry's, when its file is named; raises ConfigError, LooseModes."""
        from enigma_fed.registry.clientsettings import read_pepper

        path = self._reach.pepper_file
        if path is None and self._named is not None and self._named.pepper_file is not None:
            path = self.stores.folder / self._named.pepper_file
        return None if path is None else read_pepper(path)

    def must_have_pepper(self) -> None:
        """Raise ConfigError when the pepper is not known: before keys are made for nothing."""
        from enigma_fed.registry.client import no_pepper

        if self.pepper() is None:
            raise no_pepper()

    def _tls(self) -> TlsFiles:
        from enigma_fed.registry.clienttls import TlsFiles

        kept = self._named.tls(self.stores.folder) if self._named is not None else TlsFiles()
        return TlsFiles(
            self._reach.ca or kept.ca, self._reach.cert or kept.certificate, self._reach.key or kept.key
        )

    async def _session_maker(self) -> Callable[[Place], aiohttp.ClientSession]:
        from enigma_fed.registry.clienthttp import direct_session
        from enigma_fed.registry.clienttls import client_context

        if self.place.onion is not None:
            return await self._through_tor()
        tls = self._tls()
        context = await asyncio.to_thread(client_context, tls) if self.place.is_encrypted else None
        return lambda place: direct_session(context)

    async def _through_tor(self) -> Callable[[Place], aiohttp.ClientSession]:
        from enigma_fed.base import registry_limits
        from enigma_fed.cli import wiring
        from enigma_fed.daemon.torsocks import find_socks
        from enigma_fed.transports.tor.endpoint import Endpoint
        from enigma_fed.transports.tor.session import onion_session

        named = self._reach.socks or (self._named.socks if self._named is not None else None)
        if named is not None:
            socks = Endpoint.parse(named)
        else:
            settings = wiring.node_config(self._paths).settings
            socks = await find_socks(settings.tor, self._paths, os.environ)
        return lambda place: onion_session(
            lambda: socks,
            isolation_key=os.urandom(_ISOLATION_BYTES),
            ready=lambda: True,
            reply_bytes=registry_limits.REGISTRY_REPLY_BYTES,
        )


def next_step(error: EnigmaError) -> str:
    """What to do about a registry's answer, where the error itself does not say."""
    if isinstance(error, InputRefused) and error.field == _SEALED:
        return "Look whether --pepper-file holds that registry's pepper."
    return next((hint for kind, hint in _NEXT if isinstance(error, kind)), "")


def open_stores(paths: Paths) -> ClientStores:
    """What the client keeps, in the data folder of these paths."""
    from enigma_fed.registry.clientstores import ClientStores

    return ClientStores(paths.data_dir / FOLDER)


def _named(reach: Reach, known: Any) -> NamedRegistry | None:
    """The settings of the registry that is named, or of the only one that there is."""
    if reach.url is None:
        if len(known) == 1:
            found: NamedRegistry = next(iter(known.values()))
            return found
        names = ", ".join(known)
        raise UsageError(
            f"which registry? There are {names}" if known else "which registry?", hint="Name it: --url URL"
        )
    if ":" not in reach.url and "." not in reach.url and reach.url not in known:
        raise UsageError(
            f"{NAMES} names no such registry",
            hint=f"In it: {', '.join(known) or 'nothing'}. Or: --url https://HOST:PORT",
        )
    if "://" in reach.url or reach.url not in known:
        by_url = [each for each in known.values() if each.url == reach.url]
        return by_url[0] if by_url else None
    chosen: NamedRegistry = known[reach.url]
    return chosen
