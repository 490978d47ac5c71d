"""The command line's way into the daemon room: paths, settings and operations of one node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from enigma_fed import config
from enigma_fed.base.errors import UsageError
from enigma_fed.daemon.paths import Paths, resolve_paths

if TYPE_CHECKING:
    from enigma_fed.cli.context import Flags
    from enigma_fed.daemon.operations import Operations

_OPENED: Final = "enigma_fed.cli.opened"


def node_paths(flags: Flags) -> Paths:
    """Where the node of these flags has its files; raises UsageError."""
    paths = resolve_paths(flags.data_dir, flags.config, os.environ)
    if paths.data_dir.is_file():
        raise UsageError(f"the data folder {paths.data_dir} is a file", hint="Name a folder: --data-dir.")
    return paths


def node_config(paths: Paths) -> config.Config:
    """The node's configuration; raises ConfigError."""
    return config.load(paths.config, os.environ)


@contextmanager
def open_node(flags: Flags, *, mutating: bool) -> Iterator[Operations]:
    """The node's operations, by the agent when one runs; says which node it is when nobody named one."""
    from enigma_fed.cli import output
    from enigma_fed.cli.waiting import Waiting
    from enigma_fed.daemon.operations import RemoteOperations, open_operations

    paths = node_paths(flags)
    with open_operations(paths, node_config(paths).settings, mutating=mutating) as opened:
        operations = Waiting(opened) if isinstance(opened, RemoteOperations) else opened
        if operations.announce and _is_first():
            node = operations.identity()
            output.talk(f"Speaking to {node.name} ({node.data_dir}), the node of this machine's service.")
        yield operations


def _is_first() -> bool:
    """Whether this command opens the node for the first time."""
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return True
    before = ctx.meta.get(_OPENED, False)
    ctx.meta[_OPENED] = True
    return not before
