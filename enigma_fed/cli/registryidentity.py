"""`enigma-fed registry identity create|list|show`: the owner's identities for registries."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import click

from enigma_fed.base.errors import Conflict, UsageError
from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Group

if TYPE_CHECKING:
    from enigma_fed.registry.clientstores import ClientStores


@click.group(
    "identity",
    cls=Group,
    examples=("enigma-fed registry identity create alice", "enigma-fed registry identity list"),
)
def identity() -> None:
    """Make and see your identities for registries.

    Their keys are in registry-identities in the data folder: keep a copy of it.
    """


def _stores() -> ClientStores:
    from enigma_fed.cli import wiring
    from enigma_fed.cli.registryreach import open_stores

    return open_stores(wiring.node_paths(current().flags))


@identity.command("create", examples=("enigma-fed registry identity create alice",))
@click.argument("name")
@click.option("--hide-name", is_flag=True, help="Show registries the handle alone, not the name.")
def create(name: str, hide_name: bool) -> None:
    """Make the keys of NAME; no registry is asked.

    Case and a leading @ count: alice, Alice and @alice are three names.
    """
    from enigma_fed.cli import output
    from enigma_fed.cli.registryclient import handle_of, with_name
    from enigma_fed.cli.registryshown import own_view, show_own
    from enigma_fed.wire.ownidentity import new_identity

    if re.fullmatch(r"[0-9a-fA-F]{64}", name):
        raise UsageError("that is a handle", hint="Give the name: its keys are made here.")
    user = handle_of(name)
    stores = _stores()
    own = new_identity(name, os.urandom, time.time_ns() // 1_000_000, shows_name=not hide_name)
    with stores.locked():
        if stores.owns(user):
            see = with_name("enigma-fed registry identity show NAME", name)
            raise Conflict("there is an identity of that name here", hint=f"See it: {see}")
        stores.create(own)
    show_own(current(), own_view(stores, own))
    if not current().json:
        following = with_name("enigma-fed registry register NAME --url URL --pepper-file FILE", name)
        output.advise(f"Keep a copy of that file's folder. Next: {following}")


@identity.command("list", examples=("enigma-fed registry identity list",))
def list_identities() -> None:
    """List your identities."""
    from enigma_fed.cli.registryshown import own_view, show_owned

    stores = _stores()
    show_owned(current(), [own_view(stores, own) for own in stores.owned()])


@identity.command("show", examples=("enigma-fed registry identity show alice",))
@click.argument("name", metavar="NAME|HANDLE")
def show(name: str) -> None:
    """Show one of your identities: its public keys, and where it is registered."""
    from enigma_fed.base.errors import EnigmaError
    from enigma_fed.cli.registryclient import handle_of, with_name
    from enigma_fed.cli.registryshown import own_view, show_own

    stores = _stores()
    try:
        own = stores.own(handle_of(name))
    except EnigmaError as error:
        error.hint = with_name(error.hint, name)
        raise
    show_own(current(), own_view(stores, own))
