"""`enigma-fed registry register|resolve|check|announce|nodes`: asking any registry."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from enigma_fed.base.errors import Conflict, EnigmaError, UsageError
from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command, end_with
from enigma_fed.cli.registryreach import Reach, Reached, reach_options

if TYPE_CHECKING:
    from enigma_fed.registry.client import RegistryClient
    from enigma_fed.registry.clientwork import ClientWork
    from enigma_fed.wire.ownidentity import OwnIdentity
    from enigma_fed.wire.userid import UserId

URL: Final = "https://registry.example:8443"
_NAMED: Final = re.compile(r"(enigma-fed registry [a-z ]+) NAME\b")
_HANDLE: Final = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


def handle_of(name: str) -> UserId:
    """The handle of a name, or the one that 64 hexadecimal digits are; raises UsageError."""
    from enigma_fed.base.registry_errors import InputRefused
    from enigma_fed.wire.userid import UserId

    if _HANDLE.fullmatch(name):
        return UserId.parse(name)
    try:
        return UserId.of(name)
    except InputRefused:
        raise UsageError(
            "that is no name for a registry", hint="It has 1 to 64 bytes and no control characters."
        ) from None


def worker(reached: Reached, client: RegistryClient) -> ClientWork:
    """The work with the registry of a command."""
    import os

    from enigma_fed.registry.clientowner import OwnerClient
    from enigma_fed.registry.clientwork import ClientWork

    return ClientWork(client, OwnerClient(client, os.urandom), reached.stores, reached.url)


def tell_recovered(reached: Reached) -> None:
    """Say of files that were damaged that their copies were read."""
    from enigma_fed.cli import output

    for path in sorted(reached.stores.recovered):
        output.talk(f"Warning: {path} was damaged; what is used comes from its copy.")


@contextmanager
def named_in_hints(name: str, reached: Reached) -> Iterator[None]:
    """Put the name and the flags of a command into the commands that the hints of its errors show."""
    try:
        yield
    except EnigmaError as error:
        error.hint = with_name(error.hint.replace("--url URL", reached.flags), name)
        raise


def with_name(hint: str, name: str) -> str:
    """The hint with this name in the place of NAME in the commands that it shows."""
    return _NAMED.sub(lambda found: f"{found[1]} {shlex.quote(name)}", hint)


@click.command(
    "register",
    cls=Command,
    examples=(
        f"enigma-fed registry register alice --url {URL} --pepper-file pepper",
        "enigma-fed registry register alice --url home",
    ),
)
@click.argument("name")
@click.option("--hide-name", is_flag=True, help="Register the handle alone, without the name in clear.")
@reach_options
def register(name: str, hide_name: bool, reach: Reach) -> None:
    """Register NAME at a registry, with keys that are made here.

    The keys are kept in registry-identities in the data folder, and are on disk before anything is sent. They
    are the identity: keep a copy of that folder. Doing it twice is no mistake.
    """
    from enigma_fed.cli import output
    from enigma_fed.cli.registryshown import show_registered

    here = current()
    reached = Reached(here, reach)
    reached.must_have_pepper()
    with named_in_hints(name, reached):
        own, made = _own_or_new(reached, name, shows_name=not hide_name)
    if made:
        output.talk(
            f"New keys of {name} are in {reached.stores.path(own.user_id)}: keep a copy of that folder."
        )
    with named_in_hints(name, reached):
        fresh = reached.ask(lambda client: worker(reached, client).register(own))
    tell_recovered(reached)
    show_registered(here, reached.url, own, "register", fresh=fresh)


def _own_or_new(reached: Reached, name: str, *, shows_name: bool) -> tuple[OwnIdentity, bool]:
    """The identity of that name here, and whether it was made just now."""
    import os
    import time

    from enigma_fed.wire.ownidentity import new_identity

    if _HANDLE.fullmatch(name):
        raise UsageError("that is a handle", hint="Give the name: its keys are made here.")
    user = handle_of(name)
    with reached.stores.locked():
        if reached.stores.owns(user):
            own = reached.stores.own(user)
            if own.shows_name and not shows_name:
                raise Conflict(
                    "the identity of that name, which is here already, shows it",
                    hint="Take another name, or move its file and the .bak beside it away; where it is: "
                    "enigma-fed registry identity show NAME",
                )
            return own, False
        own = new_identity(name, os.urandom, time.time_ns() // 1_000_000, shows_name=shows_name)
        reached.stores.create(own)
        return own, True


@click.command(
    "resolve",
    cls=Command,
    examples=(
        f"enigma-fed registry resolve alice --url {URL} --pepper-file pepper",
        "enigma-fed registry resolve alice --url home --json",
    ),
)
@click.argument("name", metavar="NAME|HANDLE")
@click.option("--accept-new-keys", is_flag=True, help="Take keys that are not those seen before.")
@reach_options
def resolve(name: str, accept_new_keys: bool, reach: Reach) -> None:
    """Ask a registry for the public keys of NAME, and check what comes back.

    A HANDLE has 64 hexadecimal digits. Keys are remembered when they are seen first. Other keys later are
    refused, unless the registry's log shows that the owner changed them.
    """
    from enigma_fed.cli.registryshown import show_identity

    here = current()
    reached = Reached(here, reach)
    user = handle_of(name)
    with named_in_hints(name, reached):
        found = reached.ask(lambda client: worker(reached, client).resolve(user, accept_new=accept_new_keys))
    tell_recovered(reached)
    show_identity(here, reached.url, found)


@click.command(
    "check",
    cls=Command,
    examples=(f"enigma-fed registry check alice --url {URL}",),
)
@click.argument("name", metavar="NAME|HANDLE")
@reach_options
def check(name: str, reach: Reach) -> None:
    """Ask whether NAME is taken at a registry, if only by one that was revoked; the exit code is 5 if not."""
    from enigma_fed.base.errors import NotFound
    from enigma_fed.cli import output
    from enigma_fed.wire.registryviews import CheckView

    here = current()
    reached = Reached(here, reach)
    user = handle_of(name)
    known = reached.ask(lambda client: client.check(user))
    if here.json:
        output.data_json(CheckView(reached.url, user.hex, known))
    else:
        output.data(f"{name} is registered" if known else f"{name} is not registered")
    if not known:
        end_with(click.get_current_context(), NotFound.exit_code)


@click.command(
    "announce",
    cls=Command,
    examples=(f"enigma-fed registry announce alice {URL} --url {URL}",),
)
@click.argument("name")
@click.argument("addr")
@click.option("--unsigned", is_flag=True, help="Do not sign it, even if the registry would take a signature.")
@reach_options
def announce(name: str, addr: str, unsigned: bool, reach: Reach) -> None:
    """Tell a registry that NAME can be found at ADDR, free text of up to 256 bytes. It lasts some minutes.

    With keys of NAME here it is signed, where the registry takes that.
    """
    import time

    from enigma_fed.base.registry_errors import InputRefused
    from enigma_fed.cli.registryshown import show_announced
    from enigma_fed.wire.registrybodies import Presence

    here = current()
    reached = Reached(here, reach)
    user = handle_of(name)
    try:
        presence = Presence.checked(user.hex, addr, time.time_ns() // 1_000_000)
    except InputRefused:
        raise UsageError("ADDR must have 1 to 256 bytes") from None
    own = None if unsigned or not reached.stores.owns(user) else reached.stores.own(user)
    with named_in_hints(name, reached):
        signed, after = reached.ask(lambda client: worker(reached, client).announce(presence, own))
    show_announced(here, reached.url, presence, signed=signed, after=after)


@click.command(
    "nodes",
    cls=Command,
    examples=(
        f"enigma-fed registry nodes --url {URL}",
        f"enigma-fed registry nodes --add https://other.example --url {URL}",
    ),
)
@click.option(
    "--add", "added", metavar="URL", multiple=True, help="Tell it of this registry first; repeatable."
)
@reach_options
def nodes(added: tuple[str, ...], reach: Reach) -> None:
    """List the registries that a registry knows: strangers' words, which nobody has checked."""
    from enigma_fed.cli import output
    from enigma_fed.registry.clientplace import Place
    from enigma_fed.wire.registryviews import NodesView

    here = current()
    urls = [Place.parse(each, allow_http=True).url for each in added]
    reached = Reached(here, reach)

    async def work(client: RegistryClient) -> tuple[int | None, tuple[str, ...]]:
        merged = await client.add_nodes(urls) if urls else None
        return merged, await client.nodes()

    merged, found = reached.ask(work)
    if here.json:
        output.data_json(NodesView(reached.url, found, merged))
        return
    if merged is not None:
        output.talk(f"{merged} of {len(urls)} were new to it.")
    if found:
        output.data("\n".join(map(_printable, found)))
    else:
        output.talk("It knows no other registry.")


def _printable(url: str) -> str:
    from enigma_fed.cli.humane import printable

    return printable(url)


COMMANDS: Final = (register, resolve, check, announce, nodes)
