"""`enigma-fed registry …`: the identity registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from enigma_fed.cli.groups import LazyGroup

_SERVER: Final = "enigma_fed.cli.registryserver"
_HERE: Final = "enigma_fed.cli.registryclient"
_OWNER: Final = "enigma_fed.cli.registryowner"
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "serve": (f"{_SERVER}:serve", "Run a registry by itself in the foreground."),
    "init": (f"{_SERVER}:init", "Make a registry's configuration with fresh secrets."),
    "rotate-key": (f"{_SERVER}:rotate_key", "Put a fresh envelope key in front of the others."),
    "register": (f"{_HERE}:register", "Register a name at a registry."),
    "resolve": (f"{_HERE}:resolve", "Ask a registry for somebody's public keys."),
    "check": (f"{_HERE}:check", "Ask whether a registry holds a name."),
    "announce": (f"{_HERE}:announce", "Tell a registry where a name can be found."),
    "nodes": (f"{_HERE}:nodes", "List the registries that a registry knows."),
    "update": (f"{_OWNER}:update", "Give a name of yours new encryption keys."),
    "rotate": (f"{_OWNER}:rotate", "Give a name of yours all new keys."),
    "revoke": (f"{_OWNER}:revoke", "Revoke a name of yours, for good."),
    "log": (f"{_OWNER}:log", "Show how the keys of a name changed."),
    "identity": ("enigma_fed.cli.registryidentity:identity", "Make and see your identities."),
}


@click.group(
    "registry",
    cls=LazyGroup,
    table=COMMANDS,
    examples=(
        "enigma-fed registry init",
        "enigma-fed registry register alice --url https://registry.example:8443 --pepper-file pepper",
        "enigma-fed registry resolve bob --url https://registry.example:8443 --pepper-file pepper",
    ),
)
def registry() -> None:
    """Run an identity registry, ask one for people's public keys, and register your own."""
