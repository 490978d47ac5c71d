"""Real gauges of this machine."""

from __future__ import annotations

from pathlib import Path

from enigma_fed.base.clock import SystemClock
from enigma_fed.state.sampler import Sampler
from enigma_fed.wire.snapshot import snapshot_from_object, snapshot_to_object


def test_a_sample_holds_real_and_publishable_values(tmp_path: Path) -> None:
    sampler = Sampler(tmp_path, "attic", SystemClock())
    sampler.sample(tor_active=False)
    snapshot = sampler.sample(tor_active=True)
    assert snapshot.node_name == "attic"
    assert snapshot.tor_active is True
    assert snapshot.apps == ()
    assert snapshot.mem_used_kib is not None
    assert snapshot.mem_total_kib is not None
    assert 0 < snapshot.mem_used_kib < snapshot.mem_total_kib
    assert snapshot.disk_used_kib is not None
    assert snapshot.disk_total_kib is not None
    assert 0 < snapshot.disk_used_kib <= snapshot.disk_total_kib
    assert snapshot.uptime_secs is not None
    assert snapshot.uptime_secs > 0
    assert snapshot.cpu_tenths is None or 0 <= snapshot.cpu_tenths <= 1000
    assert snapshot_from_object(snapshot_to_object(snapshot)) == snapshot
