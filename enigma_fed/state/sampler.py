"""The machine's gauges, through psutil. Everything here may block: call it in a worker thread."""

from __future__ import annotations

from pathlib import Path

import psutil

from enigma_fed.base.clock import Clock
from enigma_fed.state.rules import CpuTimes, cpu_tenths, cpu_times
from enigma_fed.wire.snapshot import Snapshot

_KIB = 1024


class Sampler:
    """Reads CPU, memory, the disk that holds `data_dir`, and the machine's uptime.

    CPU is the share since the sample before (since the construction for the first).
    """

    def __init__(self, data_dir: Path, node_name: str | None, clock: Clock) -> None:
        self._data_dir = data_dir
        self._node_name = node_name
        self._clock = clock
        self._cpu = _read_cpu()

    def sample(self, tor_active: bool) -> Snapshot:
        """One snapshot, quantised. A dead network file system under `data_dir` can hang it."""
        memory = psutil.virtual_memory()
        disk = psutil.disk_usage(str(self._data_dir))
        return Snapshot(
            node_name=self._node_name,
            cpu_tenths=self._cpu_since_last(),
            mem_used_kib=(memory.total - memory.available) // _KIB,
            mem_total_kib=memory.total // _KIB,
            disk_used_kib=disk.used // _KIB,
            disk_total_kib=disk.total // _KIB,
            uptime_secs=int(self._clock.boot()),
            tor_active=tor_active,
        )

    def _cpu_since_last(self) -> int | None:
        before, self._cpu = self._cpu, _read_cpu()
        return cpu_tenths(before, self._cpu)


def _read_cpu() -> CpuTimes:
    return cpu_times(psutil.cpu_times()._asdict())
