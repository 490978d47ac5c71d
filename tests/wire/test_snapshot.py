"""The snapshot: its object, its canonical form (PROTOCOL section 2)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import cbor
from enigma_fed.wire.snapshot import (
    App,
    Snapshot,
    canonical_cbor,
    snapshot_from_object,
    snapshot_to_object,
)

SEED_SNAPSHOT: dict[str, Any] = {
    "timestamp": "2026-03-10T12:00:00Z",
    "node_name": "Test Node",
    "apps": [{"id": "bitcoin", "status": "running", "version": "27.0"}],
    "cpu_usage_percent": 45.2,
    "mem_used_bytes": 4_000_000_000,
    "mem_total_bytes": 8_000_000_000,
    "disk_used_bytes": None,
    "disk_total_bytes": None,
    "uptime_secs": 86400,
    "tor_active": True,
}
APP_TEXT = st.text("abcxyz019.-é", min_size=1, max_size=20)
ONE_APP = st.builds(App, id=APP_TEXT, status=APP_TEXT, version=st.none() | APP_TEXT)
APPS = st.lists(ONE_APP, max_size=5, unique_by=lambda app: app.id)
SIZES = st.none() | st.integers(0, limits.INTEGER_MAX // 1024)
SNAPSHOTS = st.builds(
    Snapshot,
    node_name=st.none() | st.text("abc é", min_size=1, max_size=20).filter(lambda name: name == name.strip()),
    apps=APPS.map(lambda apps: tuple(sorted(apps, key=lambda app: app.id.encode()))),
    cpu_tenths=st.none() | st.integers(0, 1000),
    mem_used_kib=SIZES,
    mem_total_kib=SIZES,
    disk_used_kib=SIZES,
    disk_total_kib=SIZES,
    uptime_secs=st.none() | st.integers(0, 2**32),
    tor_active=st.none() | st.booleans(),
)


@given(SNAPSHOTS)
def test_a_snapshot_survives_the_seeds_object(snapshot: Snapshot) -> None:
    assert snapshot_from_object(snapshot_to_object(snapshot)) == snapshot


def test_the_seeds_own_values() -> None:
    snapshot = snapshot_from_object(SEED_SNAPSHOT)
    assert snapshot.apps == (App(id="bitcoin", status="running", version="27.0"),)
    assert snapshot.cpu_tenths == 452
    assert snapshot.mem_used_kib == 4_000_000_000 // 1024
    assert snapshot_to_object(snapshot, "2026-03-10T12:00:00Z") == {
        name: value for name, value in SEED_SNAPSHOT.items() if value is not None
    }


def test_canonical_state_is_a_map_with_integer_keys_and_absent_values_left_out() -> None:
    assert cbor.decode(canonical_cbor(Snapshot()), limit=100) == {1: []}
    full = Snapshot(
        node_name="n", apps=(App(id="a", status="running"),), cpu_tenths=1, mem_used_kib=2, mem_total_kib=3,
        disk_used_kib=4, disk_total_kib=5, uptime_secs=6, tor_active=False,
    )  # fmt: skip
    assert cbor.decode(canonical_cbor(full), limit=100) == {
        0: "n", 1: [["a", "running", None]], 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: False,
    }  # fmt: skip


def test_apps_are_sorted_by_the_bytes_of_their_ids_on_both_sides() -> None:
    apps = [{"id": name, "status": "running"} for name in ("z", "é", "a")]
    snapshot = snapshot_from_object({"apps": apps})
    assert [app.id for app in snapshot.apps] == ["a", "z", "é"]
    unsorted = Snapshot(apps=tuple(reversed(snapshot.apps)))
    assert canonical_cbor(unsorted) == canonical_cbor(snapshot)


@pytest.mark.parametrize(("percent", "tenths"), [(0, 0), (12, 120), (45.2, 452), (45.25, 453), (99.96, 1000)])
def test_the_receiver_takes_the_nearest_tenth_of_the_cpu(percent: float, tenths: int) -> None:
    assert snapshot_from_object({"apps": [], "cpu_usage_percent": percent}).cpu_tenths == tenths


@pytest.mark.parametrize(
    "change",
    [
        {"mem_used_bytes": 1023},
        {"mem_used_bytes": -1024},
        {"mem_used_bytes": 1024.0},
        {"mem_used_bytes": True},
        {"disk_total_bytes": 2**53},
        {"cpu_usage_percent": -1},
        {"cpu_usage_percent": float("nan")},
        {"cpu_usage_percent": "1"},
        {"uptime_secs": 1.5},
        {"tor_active": 1},
        {"node_name": ""},
        {"node_name": "\x1b[31mred"},
        {"node_name": "x" * 65},
        {"node_name": 7},
        {"apps": None},
        {"apps": {}},
        {"apps": [{"id": "a", "status": "running"}, {"id": "a", "status": "stopped"}]},
        {"apps": [{"id": "", "status": "running"}]},
        {"apps": [{"id": "a"}]},
        {"apps": [{"id": "a", "status": "\u202e"}]},
        {"apps": [{"id": "a", "status": "x" * 129}]},
        {"apps": [{"id": "a", "status": "running", "colour": "red"}]},
        {"apps": [{"id": str(number), "status": "running"} for number in range(limits.APPS_PER_STATE + 1)]},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_a_peer_must_not_send_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(WireError):
        snapshot_from_object({"apps": [], **change})


def test_a_file_of_the_rust_agent_is_read_leniently() -> None:
    obj = {"timestamp": "2026-01-01T00:00:00Z", "node_name": "", "mem_used_bytes": 1025, "more": 1}
    snapshot = snapshot_from_object(obj, lenient=True)
    assert snapshot == Snapshot(mem_used_kib=1)
    app = {"id": "a", "status": "running", "more": 1}
    assert snapshot_from_object({"apps": [app]}, lenient=True).apps == (App(id="a", status="running"),)


@given(SNAPSHOTS)
def test_the_canonical_state_is_deterministic_cbor(snapshot: Snapshot) -> None:
    canonical = canonical_cbor(snapshot)
    assert cbor.encode(cbor.decode(canonical, limit=len(canonical))) == canonical


def test_the_largest_canonical_state_is_deterministic_cbor() -> None:
    texts = [
        f"{number:03}".ljust(limits.APP_FIELD_BYTES, "é")[: limits.APP_FIELD_BYTES // 2]
        for number in range(512)
    ]
    apps = tuple(App(id=text, status=text, version=text) for text in texts)
    size = limits.INTEGER_MAX // 1024
    canonical = canonical_cbor(Snapshot(apps=apps, mem_used_kib=size, uptime_secs=limits.INTEGER_MAX))
    assert cbor.encode(cbor.decode(canonical, limit=len(canonical))) == canonical
