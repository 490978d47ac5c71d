"""What a command gets to work with: the flags, and the way to the node's operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import click

from enigma_fed.cli.groups import global_value

if TYPE_CHECKING:
    from enigma_fed.daemon.operations import Operations


@dataclass(frozen=True, slots=True)
class Flags:
    """The global flags as given; None means not given."""

    config: str | None = None
    data_dir: str | None = None
    json: bool = False


class Opener(Protocol):
    """Opens the operations of the node that the flags name."""

    def __call__(self, flags: Flags, *, mutating: bool) -> AbstractContextManager[Operations]:
        """Operations that may change the node, when `mutating`; leaving the context frees them."""
        ...


def _open_real(flags: Flags, *, mutating: bool) -> AbstractContextManager[Operations]:
    from enigma_fed.cli.wiring import open_node

    return open_node(flags, mutating=mutating)


@dataclass(frozen=True, slots=True)
class CliContext:
    """One command's surroundings; tests pass one with an `open_operations` of theirs as click's `obj`."""

    open_operations: Opener = _open_real
    flags: Flags = Flags()

    @property
    def json(self) -> bool:
        """Whether `--json` was given."""
        return self.flags.json

    @contextmanager
    def operations(self, *, mutating: bool) -> Iterator[Operations]:
        """`opened`, and at its end a warning when the node works with the copy of a damaged file."""
        with self.opened(mutating=mutating) as operations:
            yield operations
            _tell_of_recovery(operations, mutating=mutating)

    @contextmanager
    def opened(self, *, mutating: bool) -> Iterator[Operations]:
        """The node's operations; a wait for another command or for the agent is told after a moment."""
        from enigma_fed.cli.output import progress

        with ExitStack() as stack:
            with progress("waiting for the node"):
                opened = self.open_operations(self.flags, mutating=mutating)
                operations = stack.enter_context(opened)
            yield operations


def _tell_of_recovery(operations: Operations, *, mutating: bool) -> None:
    """What came from the copy of a damaged file is said to be so, and is no success (docs/FILES.md)."""
    from enigma_fed.base.errors import EnigmaError, StoreRecovered
    from enigma_fed.cli import output
    from enigma_fed.cli.groups import end_with

    try:
        recoveries = operations.recoveries()
    except EnigmaError:
        return  # an agent older than the command, or one that just stopped: the command itself worked
    for recovery in recoveries:
        output.advise(
            f"Warning: {recovery.file} was damaged ({recovery.why}); this comes from its copy. "
            "Next: enigma-fed doctor --accept-recovered"
        )
        if not mutating:
            end_with(click.get_current_context(), StoreRecovered.exit_code)


def current() -> CliContext:
    """The running command's context, with the global flags of its whole line."""
    ctx = click.get_current_context()
    base = ctx.find_object(CliContext) or CliContext()
    return replace(base, flags=_flags(ctx))


def _flags(ctx: click.Context) -> Flags:
    config, data_dir = global_value(ctx, "config"), global_value(ctx, "data_dir")
    return Flags(
        config=str(config) if config is not None else None,
        data_dir=str(data_dir) if data_dir is not None else None,
        json=global_value(ctx, "json") is not None,
    )
