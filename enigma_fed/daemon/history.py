"""The history of one node, as the owner asks for it: the same with an agent and without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import FieldInvalid
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.config import Settings
from enigma_fed.federation.service import Federation
from enigma_fed.state.history import RINGS, SHORT, Ring, Totals
from enigma_fed.state.historyservice import HistoryService, Series
from enigma_fed.state.historystore import HistoryStore
from enigma_fed.state.service import StateService
from enigma_fed.wire.calling import called
from enigma_fed.wire.historyview import HistoryView
from enigma_fed.wire.timestamps import to_text
from enigma_fed.wire.views import NodeView, PeerView, StatusView

_STEPS: Final = {ring.width: ring for ring in RINGS}
_MIB: Final = 1024 * 1024
_FORM: Final = "A time is a number and its unit: 24h, 30m, 7d."


class HistorySource(Protocol):
    """Where the slots come from: the agent's memory and file, or the file alone."""

    async def series(self, did: Did, ring: Ring, since_s: int) -> Series:
        """The slots of a node in the last `since_s` seconds."""
        ...


def keep_history(data_dir: Path, own: Did, clock: Clock, tasks: Tasks) -> HistoryService:
    """The history of a running agent on this data folder."""
    return HistoryService(HistoryStore(data_dir), own, clock, tasks)


def begin_history(
    history: HistoryService,
    state: StateService,
    federation: Federation,
    settings: Callable[[], Settings],
) -> None:
    """Start it over the members of this federation, polled as often as these settings say."""
    state.sampled = history.note_own
    history.start(
        state.current,
        lambda: [node.did for node in federation.store.membership.nodes.nodes],
        lambda: settings().federation.poll_interval,
    )


def find_ring(resolution_s: int, since_s: int) -> Ring:
    """The ring with slots of so many seconds that reaches back so far; raises FieldInvalid."""
    ring = _STEPS.get(resolution_s)
    if ring is None:
        raise FieldInvalid(f"resolution must be one of: {', '.join(map(str, _STEPS))} seconds")
    step, longest = ("5m", "24h") if ring is SHORT else ("1h", "30d")
    if since_s > ring.width * ring.slots:
        hint = "Steps of an hour go back 30 days: --resolution 1h" if ring is SHORT else ""
        raise FieldInvalid(f"since must be at most {longest} in steps of {step}", hint=hint)
    if since_s < ring.width:
        raise FieldInvalid(f"since must be at least {step}, one step", hint=_FORM)
    return ring


async def of_peer(source: HistorySource, peer: PeerView, resolution_s: int, since_s: int) -> HistoryView:
    """The history of a peer; raises FieldInvalid, DidInvalid."""
    series = await source.series(Did.parse(peer.did), find_ring(resolution_s, since_s), since_s)
    state = peer.last_state
    return _view(
        series,
        peer.did,
        called(peer),
        resolution_s,
        (None, None) if state is None else (state.mem_total_bytes, state.disk_total_bytes),
    )


async def of_this_node(
    source: HistorySource, node: NodeView, status: StatusView, resolution_s: int, since_s: int
) -> HistoryView:
    """The history of this node; raises FieldInvalid."""
    series = await source.series(Did.parse(node.did), find_ring(resolution_s, since_s), since_s)
    state = status.state
    totals = (None, None) if state is None else (state.mem_total_bytes, state.disk_total_bytes)
    return _view(series, node.did, node.name, resolution_s, totals)


def _view(
    series: Series, did: str, name: str, resolution_s: int, told: tuple[int | None, int | None]
) -> HistoryView:
    mem_total, disk_total = told
    totals = series.totals or Totals()
    return HistoryView(
        did=did,
        name=name,
        resolution_s=resolution_s,
        since=to_text(max(0, series.since)),
        until=to_text(series.until),
        points=series.points,
        mem_total_bytes=mem_total or totals.mem * _MIB or None,
        disk_total_bytes=disk_total or totals.disk * _MIB or None,
        problem=series.problem,
    )
