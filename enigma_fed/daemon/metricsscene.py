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
from enigma_fed.federation.glance import Glance
from enigma_fed.rpc.traffic import DayBytes
from enigma_fed.wire.adminviews import ReadinessView
from enigma_fed.wire.records import Node, Observation
from enigma_fed.wire.state import FullState
from enigma_fed.wire.viewbuild import age

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

    @property
    def has_room(self) -> bool:
        """Whether one more may have metrics of its own."""
        return len(self.named) < limits.METRICS_PEERS

    def add(self, facts: PeerFacts, node: Node) -> None:
        """Count one more."""
        self.liveness[facts.liveness] += 1
        self.trust[node.trust_level.value] += 1
        self.stages[node.stage.value] += 1
        self.paused += node.paused
        self.failing += facts.failures > 0
        if self.has_room and facts.label not in self.named:
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
    crowd, wall = Crowd(), parts.clock.wall()
    for number, found in enumerate(parts.federation.glances()):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        day = parts.traffic.day(found.node.did.public_key) if crowd.has_room else None
        crowd.add(_facts(found, day, wall), found.node)
    return crowd


def _facts(found: Glance, day: DayBytes | None, wall: float) -> PeerFacts:
    seen = found.seen or Observation(did=found.node.did)
    state = seen.state
    return PeerFacts(
        label=found.node.did.short,
        liveness=found.liveness.value,
        heard_age=found.heard_age,
        state_age=None if state is None else age(wall, state.started + state.ts, seen),
        state_seq=None if state is None else state.seq,
        failures=seen.failures,
        latency=None if seen.latency_ms is None else seen.latency_ms / 1000,
        skew=seen.skew_s,
        received=None if day is None else day.received,
        sent=None if day is None else day.sent,
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
