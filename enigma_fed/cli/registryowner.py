"""`enigma-fed registry update|rotate|revoke|log`: changes by owners, at registries that take them."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import click

from enigma_fed.cli.context import current
from enigma_fed.cli.groups import Command
from enigma_fed.cli.registryclient import (
    URL,
    handle_of,
    named_in_hints,
    tell_recovered,
    worker,
)
from enigma_fed.cli.registryreach import Reach, Reached, reach_options

if TYPE_CHECKING:
    from enigma_fed.registry.client import RegistryClient
    from enigma_fed.wire.ownerstatement import Action
    from enigma_fed.wire.ownidentity import OwnIdentity

_WITH: Final = f"--url {URL} --pepper-file pepper"
_accept = click.option(
    "--accept-new-registry", is_flag=True, help="Take the registry although its DID is not the one of before."
)


@click.command("update", cls=Command, examples=(f"enigma-fed registry update alice {_WITH}",))
@click.argument("name")
@_accept
@reach_options
def update(name: str, accept_new_registry: bool, reach: Reach) -> None:
    """Give NAME new encryption keys at a registry; the signing key stays, and signs for them.

    Where the registry has older keys than this node, it gets the newest ones. New keys are on disk before
    anything is sent; a command that was cut off is repeated.
    """
    from enigma_fed.wire.ownerstatement import Action

    _change(name, Action.UPDATE, reach, accept_did=accept_new_registry)


@click.command("rotate", cls=Command, examples=(f"enigma-fed registry rotate alice {_WITH}",))
@click.argument("name")
@_accept
@reach_options
def rotate(name: str, accept_new_registry: bool, reach: Reach) -> None:
    """Give NAME all new keys at a registry; the old signing key signs for the new one.

    For a key that may have been seen by others. Whoever resolves NAME sees in the log that it was you.
    """
    from enigma_fed.wire.ownerstatement import Action

    _change(name, Action.ROTATE, reach, accept_did=accept_new_registry)


@click.command("revoke", cls=Command, examples=(f"enigma-fed registry revoke alice {_WITH} --yes",))
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_accept
@reach_options
def revoke(name: str, yes: bool, accept_new_registry: bool, reach: Reach) -> None:
    """Revoke NAME at a registry, for good: it is found no more, and nobody can register it there again.

    Where nobody can be asked (standard input is no terminal) it takes `--yes`.
    """
    from enigma_fed.base.errors import UsageError
    from enigma_fed.cli import output
    from enigma_fed.cli.failures import Declined
    from enigma_fed.wire.ownerstatement import Action

    if not yes and not output.interactive():
        raise UsageError("to revoke a name is for good, and nobody is here to be asked", hint="Add --yes.")
    if not yes and not output.confirm(f"Revoke {name} for good?"):
        raise Declined("you said no")
    _change(name, Action.REVOKE, reach, accept_did=accept_new_registry)


def _change(name: str, action: Action, reach: Reach, *, accept_did: bool) -> None:
    from enigma_fed.cli.registryshown import show_registered
    from enigma_fed.registry.clientchanges import OwnerChanges
    from enigma_fed.registry.clientowner import OwnerClient

    here = current()
    reached = Reached(here, reach)
    reached.must_have_pepper()
    with named_in_hints(name, reached):
        own = reached.stores.own(handle_of(name))

        async def work(client: RegistryClient) -> OwnIdentity | None:
            changes = OwnerChanges(
                worker(reached, client), OwnerClient(client, os.urandom), os.urandom, _now_ms
            )
            return await changes.change(own, action, accept_did=accept_did)

        changed = reached.ask(work)
    tell_recovered(reached)
    show_registered(here, reached.url, changed or own, action.value, fresh=changed is not None)


@click.command("log", cls=Command, examples=(f"enigma-fed registry log alice {_WITH}",))
@click.argument("name", metavar="NAME|HANDLE")
@reach_options
def log(name: str, reach: Reach) -> None:
    """Show the log of changes of NAME's keys, once all of it holds.

    Each entry is bound to the one before it and signed by the keys of before. A log that does not go on from
    the one seen earlier is refused.
    """
    from enigma_fed.cli.registryshown import show_log

    here = current()
    reached = Reached(here, reach)
    reached.must_have_pepper()
    user = handle_of(name)
    with named_in_hints(name, reached):
        entries = reached.ask(lambda client: worker(reached, client).log(user))
    show_log(here, reached.url, entries)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
