"""Metrics of the node itself: the agent, its process, its machine, Tor, and the listener that tells them."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from typing import Final

from enigma_fed import __version__
from enigma_fed.base.suspension import Suspended
from enigma_fed.daemon.metricsscene import ProcessFacts, Scene
from enigma_fed.daemon.metricsvalues import Family, Kind, Sample, Spread, by_word, one, the_one
from enigma_fed.transports.tor.status import TorPhase

_KIB: Final = 1024


def _build(scene: Scene) -> Iterable[Sample]:
    yield (__version__, platform.python_version()), 1.0


def _reasons(scene: Scene) -> Iterable[Sample]:
    return [((reason.code,), 1.0) for reason in scene.readiness.reasons]


def _suspended(scene: Scene) -> Iterable[Sample]:
    now = scene.parts.federation.suspended()
    return [((reason.value,), float(reason in now)) for reason in Suspended]


def _lag(scene: Scene) -> Iterable[Sample]:
    lag = scene.lag
    yield (), Spread(lag.bounds, lag.counts, lag.total)


def _clock(scene: Scene) -> Iterable[Sample]:
    clock = scene.parts.clock_state
    yield ("unsynchronised",), float(clock.synchronised is not True)
    yield ("behind",), float(clock.behind)
    yield ("challenging-everyone",), float(clock.in_doubt)


def _used_and_total(used: int | None, total: int | None) -> Iterable[Sample]:
    for word, kib in (("used", used), ("total", total)):
        if kib is not None:
            yield (word,), float(kib * _KIB)


def _of_processes(scene: Scene, name: str) -> Iterable[Sample]:
    return [((found.name,), float(_number(found, name))) for found in scene.processes]


def _number(found: ProcessFacts, name: str) -> float:
    number: float = getattr(found, name)
    return number


AGENT: Final = (
    Family(
        "build_info",
        Kind.GAUGE,
        "Always 1; the labels say what runs.",
        _build,
        labels=("version", "python"),
    ),
    Family(
        "uptime_seconds",
        Kind.GAUGE,
        "Time since the agent's start.",
        lambda scene: one(scene.parts.clock.boot() - scene.parts.started),
        unit="seconds",
    ),
    Family(
        "ready",
        Kind.GAUGE,
        "1 when the node lacks nothing, 0 when /readyz gives a reason.",
        lambda scene: one(scene.readiness.ready),
    ),
    Family(
        "unready_reason",
        Kind.GAUGE,
        "1 for each reason why the node is not ready, by its word in /readyz; absent otherwise.",
        _reasons,
        labels=("reason",),
    ),
    Family(
        "suspended",
        Kind.GAUGE,
        "1 while joins and installs wait: a store was recovered, or another copy of this node runs.",
        _suspended,
        labels=("reason",),
    ),
    Family(
        "task_failures",
        Kind.COUNTER,
        "Background tasks that an error of this program ended; the log has each.",
        lambda scene: one(sum(scene.parts.tasks.failures.values())),
    ),
    Family(
        "loop_lag_seconds",
        Kind.HISTOGRAM,
        "How late the event loop was, looked at once a second since the first scrape.",
        _lag,
        unit="seconds",
    ),
    Family(
        "admin_requests",
        Kind.COUNTER,
        "Requests to this listener: ok, or why they were refused.",
        lambda scene: by_word(scene.admin_requests),
        labels=("answer",),
    ),
    Family(
        "process_cpu_seconds",
        Kind.COUNTER,
        "CPU time of the agent, and of the tor that it runs.",
        lambda scene: _of_processes(scene, "cpu_seconds"),
        labels=("process",),
        unit="seconds",
    ),
    Family(
        "process_resident_bytes",
        Kind.GAUGE,
        "Memory of the agent, and of the tor that it runs, shared pages included.",
        lambda scene: _of_processes(scene, "resident_bytes"),
        labels=("process",),
        unit="bytes",
    ),
    Family(
        "process_threads",
        Kind.GAUGE,
        "Threads of the agent, and of the tor that it runs.",
        lambda scene: _of_processes(scene, "threads"),
        labels=("process",),
    ),
    Family(
        "process_open_files",
        Kind.GAUGE,
        "File descriptors, sockets included, of the agent and of the tor that it runs.",
        lambda scene: _of_processes(scene, "files"),
        labels=("process",),
    ),
)

TOR: Final = (
    Family(
        "tor_ready",
        Kind.GAUGE,
        "1 when this node has reached itself at its own onion through Tor.",
        lambda scene: one(scene.parts.tor().ready),
    ),
    Family(
        "tor_phase",
        Kind.GAUGE,
        "1 for the phase that Tor is in, 0 for every other.",
        lambda scene: the_one(scene.parts.tor().phase.value, [phase.value for phase in TorPhase]),
        labels=("phase",),
    ),
    Family(
        "tor_bootstrap_ratio",
        Kind.GAUGE,
        "How far Tor's start is, from 0 to 1, by its own measure.",
        lambda scene: one(scene.parts.tor().percent / 100),
        unit="ratio",
    ),
    Family(
        "tor_restarts",
        Kind.COUNTER,
        "How often tor, or the connection to it, was begun anew.",
        lambda scene: one(scene.parts.tor().restarts),
    ),
    Family(
        "tor_repairs",
        Kind.COUNTER,
        "How often something was done because the onion did not answer.",
        lambda scene: one(scene.parts.tor().repairs),
    ),
    Family(
        "tor_proof_of_work",
        Kind.GAUGE,
        "1 when callers must prove work while too many come; absent when nobody can tell.",
        lambda scene: one(scene.parts.tor().pow),
    ),
)

MACHINE: Final = (
    Family(
        "clock_trouble",
        Kind.GAUGE,
        "1 while the machine's clock is not synchronised, is behind what was written down, or is in doubt so "
        "that every caller is challenged.",
        _clock,
        labels=("trouble",),
    ),
    Family(
        "disk_free_bytes",
        Kind.GAUGE,
        "What may still be written where the data folder is; absent while the disk does not answer.",
        lambda scene: one(None if scene.room is None else scene.room.free),
        unit="bytes",
    ),
    Family(
        "disk_read_only",
        Kind.GAUGE,
        "1 when the data folder's file system is mounted read-only.",
        lambda scene: one(None if scene.room is None else scene.room.read_only),
    ),
    Family(
        "machine_cpu_ratio",
        Kind.GAUGE,
        "CPU in use, from 0 to 1, as peers are told.",
        lambda scene: one(_ratio(scene.state.snapshot.cpu_tenths)),
        unit="ratio",
    ),
    Family(
        "machine_memory_bytes",
        Kind.GAUGE,
        "Memory of the machine, used and in total, as peers are told.",
        lambda scene: _used_and_total(scene.state.snapshot.mem_used_kib, scene.state.snapshot.mem_total_kib),
        labels=("part",),
        unit="bytes",
    ),
    Family(
        "machine_disk_bytes",
        Kind.GAUGE,
        "Disk of the data folder, used and in total, as peers are told.",
        lambda scene: _used_and_total(
            scene.state.snapshot.disk_used_kib, scene.state.snapshot.disk_total_kib
        ),
        labels=("part",),
        unit="bytes",
    ),
    Family(
        "machine_uptime_seconds",
        Kind.GAUGE,
        "Time since the machine's start, as peers are told.",
        lambda scene: one(scene.state.snapshot.uptime_secs),
        unit="seconds",
    ),
)


def _ratio(tenths: int | None) -> float | None:
    return None if tenths is None else tenths / 1000
