"""Everything that one scrape tells, read from the parts without holding the loop."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import psutil

from enigma_fed.base import limits
from enigma_fed.base.histogram import Histogram
from enigma_fed.daemon.adminparts import Parts
from enigma_fed.daemon.readiness import Room
from enigma_fed.wire.adminviews import ReadinessView
from enigma_fed.wire.records import Node, Observation
from enigma_fed.wire.state import FullState
from enigma_fed.wire.views import PeerView

_AT_ONCE: Final = 20
"""Peers that are looked at before the loop gets its turn."""


@dataclass(frozen=True, slots=True)
class PeerFacts:
    """What is told of one peer; None is what is not known."""

    label: str
    """The shortened DID: it names nobody, and every user of this machine may read it."""
    liveness: str
    heard_age: float | None
    state_age: float | None
    state_seq: int | None
    failures: int
    latency: float | None
    skew: int | None
    received: int | None
    sent: int | None


@dataclass(slots=True)
class Crowd:
    """All peers in numbers, and the first limits.METRICS_PEERS of them one by one."""

    liveness: Counter[str] = field(default_factory=Counter)
    trust: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    paused: int = 0
    failing: int = 0
    """Peers whose last poll failed: they are asked again with growing pauses."""
    named: dict[str, PeerFacts] = field(default_factory=dict)
    others: int = 0
    """Peers without metrics of their own."""

    def add(self, facts: PeerFacts, node: Node) -> None:
        """Count one more."""
        self.liveness[facts.liveness] += 1
        self.trust[node.trust_level.value] += 1
        self.stages[node.stage.value] += 1
        self.paused += node.paused
        self.failing += facts.failures > 0
        if len(self.named) < limits.METRICS_PEERS and facts.label not in self.named:
            self.named[facts.label] = facts
        else:
            self.others += 1


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """What one process takes."""

    name: str
    """agent or tor."""
    cpu_seconds: float
    resident_bytes: int
    threads: int
    files: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What a scrape tells, as far as it is not read from the parts themselves at once."""

    parts: Parts
    admin_requests: Counter[str]
    crowd: Crowd
    state: FullState
    readiness: ReadinessView
    room: Room | None
    processes: tuple[ProcessFacts, ...]
    lag: Histogram


async def look_at_peers(parts: Parts) -> Crowd:
    """Every peer, a few at a time: a thousand of them must not hold the loop."""
    crowd = Crowd()
    wall, seen = parts.clock.wall(), parts.federation.store.observations
    for number, (node, view) in enumerate(parts.federation.members()):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        crowd.add(_facts(node, view, seen.get(node.did), wall), node)
    return crowd


def _facts(node: Node, view: PeerView, seen: Observation | None, wall: float) -> PeerFacts:
    heard = seen.last_seen if seen is not None else None
    state = seen.state if seen is not None else None
    return PeerFacts(
        label=node.did.short,
        liveness=view.liveness,
        heard_age=None if heard is None else max(0.0, wall - heard),
        state_age=view.age_s,
        state_seq=None if state is None else state.seq,
        failures=seen.failures if seen is not None else 0,
        latency=None if view.latency_ms is None else view.latency_ms / 1000,
        skew=view.skew_s,
        received=view.bytes_in,
        sent=view.bytes_out,
    )


def look_at_processes(tor_pid: int | None) -> tuple[ProcessFacts, ...]:
    """This process, and our own tor if there is one; reads /proc, so call it in a worker thread."""
    wanted = [("agent", os.getpid())] + ([] if tor_pid is None else [("tor", tor_pid)])
    return tuple(found for name, pid in wanted if (found := _process(name, pid)) is not None)


def _process(name: str, pid: int) -> ProcessFacts | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return ProcessFacts(
                name=name,
                cpu_seconds=times.user + times.system,
                resident_bytes=process.memory_info().rss,
                threads=process.num_threads(),
                files=process.num_fds(),
            )
    except psutil.Error:
        return None
