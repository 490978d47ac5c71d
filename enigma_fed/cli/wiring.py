"""The command line's way into the daemon room: paths, settings and operations of one node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from enigma_fed import config
from enigma_fed.daemon.paths import Paths, resolve_paths

if TYPE_CHECKING:
    from enigma_fed.cli.context import Flags
    from enigma_fed.daemon.operations import Operations


def node_paths(flags: Flags) -> Paths:
    """Where the node of these flags has its files."""
    return resolve_paths(flags.data_dir, flags.config, os.environ)


def node_config(paths: Paths) -> config.Config:
    """The node's configuration; raises ConfigError."""
    return config.load(paths.config, os.environ)


@contextmanager
def open_node(flags: Flags, *, mutating: bool) -> Iterator[Operations]:
    """The node's operations, by the agent when one runs; says which node it is when nobody named one."""
    from enigma_fed.cli import output
    from enigma_fed.daemon.operations import open_operations

    paths = node_paths(flags)
    with open_operations(paths, node_config(paths).settings, mutating=mutating) as operations:
        if operations.announce:
            node = operations.identity()
            output.talk(f"Speaking to {node.name} ({node.data_dir}), the node of this machine's service.")
        yield operations
