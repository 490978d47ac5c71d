"""`enigma-fed peer list`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from enigma_fed.cli import watch
from enigma_fed.cli.context import CliContext, current
from enigma_fed.cli.groups import Command

if TYPE_CHECKING:
    from enigma_fed.wire.views import PeerView

_EMPTY = "There are no peers yet. Make an invite: enigma-fed invite create"


@click.command(
    "list",
    cls=Command,
    examples=("enigma-fed peer list", "enigma-fed peer list --json", "enigma-fed peer list --watch"),
)
@watch.options
def list_peers(watching: bool, interval: int) -> None:
    """List the homes that this node knows, and how they are.

    STAGE is how far a join is. Both sides have agreed at confirmed (a home that came with a code of this
    node) and at confirmed-both (a home whose code was accepted here). CPU, MEM and DISK are what is in use
    there, APPS how many of its apps run, AGE how old all this is, PATH how it comes, 24 H the bytes that it
    cost both ways. A narrow terminal shows the columns that fit; peer show and --json have all.
    With --watch a terminal is drawn anew each time; elsewhere each change is a line, with --json the whole
    list.
    """
    here = current()
    if watching:
        subject = watch.Subject(lambda node: node.peer_list(), _screen, _facts, _steady)
        watch.watch(here, subject, interval)
        return
    with here.operations(mutating=False) as node:
        found = node.peer_list()
    show_list(here, found)


def show_list(here: CliContext, found: Sequence[PeerView]) -> None:
    """Peers as a table, or as JSON."""
    from enigma_fed.cli import output
    from enigma_fed.cli.peerrow import COLUMNS, SHAPE

    ordered = _ordered(found)
    if here.json:
        output.data_json(ordered)
        return
    output.table(COLUMNS, _rows(ordered), empty=_EMPTY, shape=SHAPE)


def _ordered(found: Sequence[PeerView]) -> list[PeerView]:
    from enigma_fed.wire.calling import called

    return sorted(found, key=lambda entry: (called(entry).casefold(), entry.did))


def _rows(ordered: Sequence[PeerView]) -> list[tuple[str, ...]]:
    from enigma_fed.cli import output
    from enigma_fed.cli.peerrow import row

    bars = output.draws_bars()
    rows = (row(entry, time.time(), bars=bars) for entry in ordered)
    return [(*cells, output.hint(problem)) for *cells, problem in rows]


def _screen(found: Sequence[PeerView]) -> Sequence[str]:
    from enigma_fed.cli import output
    from enigma_fed.cli.peerrow import COLUMNS, SHAPE

    return output.fitted(COLUMNS, _rows(_ordered(found)), SHAPE) if found else [output.hint(_EMPTY)]


def _facts(found: Sequence[PeerView]) -> Mapping[str, watch.Fact]:
    """Of each peer what an owner would act upon: gauges and ages change all the time."""
    from enigma_fed.cli.peerrow import fact

    facts = {entry.did or entry.invalid or "": fact(entry) for entry in _ordered(found)}
    return {key: watch.Fact(what, line) for key, (what, line) in facts.items()}


def _steady(found: Sequence[PeerView]) -> object:
    from msgspec.structs import replace

    return [
        replace(
            entry,
            age_s=None,
            last_seen=None,
            latency_ms=None,
            skew_s=None,
            bytes_in=None,
            bytes_out=None,
            liveness_reason="",
            next_poll_at=None,
        )
        for entry in found
    ]
