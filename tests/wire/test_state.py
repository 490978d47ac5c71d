"""The state on the wire (PROTOCOL section 2)."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import nacl.signing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import cbor, state, strictjson
from enigma_fed.wire.state import App, FullState, GetStateParams, Have, Snapshot, Unchanged

VECTORS = Path(__file__).parents[1] / "vectors" / "state.json"
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
STATES = st.builds(
    FullState,
    epoch=st.binary(min_size=8, max_size=8),
    started=st.integers(0, limits.INTEGER_MAX),
    seq=st.integers(0, limits.INTEGER_MAX),
    ts=st.integers(0, 2**32 - 1),
    snapshot=SNAPSHOTS,
    signature=st.binary(min_size=64, max_size=64),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, Any]) -> None:
    if vector["expect"] != "ok":
        with pytest.raises(WireError) as caught:
            state.full_state_from_object(vector["input"], binary=False)
        assert caught.value.code == vector["expect"]
        return
    full = state.full_state_from_object(vector["input"], binary=False)
    key = bytes.fromhex(vector["public_key"])
    assert state.canonical_cbor(full.snapshot).hex() == vector["canonical"]
    assert state.state_signing_input(key, full).hex() == vector["signed"]
    nacl.signing.VerifyKey(key).verify(state.state_signing_input(key, full), full.signature)


@given(STATES, st.booleans())
def test_a_full_state_survives_both_forms(full: FullState, binary: bool) -> None:
    codec = cbor if binary else strictjson
    body = codec.encode(state.full_state_to_object(full, binary=binary))
    read = codec.decode(body, limit=limits.REPLY_BYTES)
    assert state.full_state_from_object(read, binary=binary) == full


@given(ANYTHING, st.booleans())
def test_any_object_gives_a_state_or_the_declared_error(obj: object, binary: bool) -> None:
    for read in (state.answer_from_object, GetStateParams.from_object):
        with contextlib.suppress(WireError):
            read(obj, binary=binary)  # type: ignore[operator]


@given(SNAPSHOTS)
def test_a_snapshot_survives_the_seeds_object(snapshot: Snapshot) -> None:
    assert state.snapshot_from_object(state.snapshot_to_object(snapshot)) == snapshot


def test_the_seeds_own_values() -> None:
    snapshot = state.snapshot_from_object(SEED_SNAPSHOT)
    assert snapshot.apps == (App(id="bitcoin", status="running", version="27.0"),)
    assert snapshot.cpu_tenths == 452
    assert snapshot.mem_used_kib == 4_000_000_000 // 1024
    assert state.snapshot_to_object(snapshot, "2026-03-10T12:00:00Z") == {
        name: value for name, value in SEED_SNAPSHOT.items() if value is not None
    }


def test_canonical_state_is_a_map_with_integer_keys_and_absent_values_left_out() -> None:
    assert cbor.decode(state.canonical_cbor(Snapshot()), limit=100) == {1: []}
    full = Snapshot(
        node_name="n", apps=(App(id="a", status="running"),), cpu_tenths=1, mem_used_kib=2, mem_total_kib=3,
        disk_used_kib=4, disk_total_kib=5, uptime_secs=6, tor_active=False,
    )  # fmt: skip
    assert cbor.decode(state.canonical_cbor(full), limit=100) == {
        0: "n", 1: [["a", "running", None]], 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: False,
    }  # fmt: skip


def test_the_signed_bytes_are_label_key_epoch_times_and_hash() -> None:
    snapshot = Snapshot(cpu_tenths=7)
    message = state.signing_input(b"\x01" * 32, b"\x02" * 8, 3, 4, 5, snapshot)
    head = b"enigma-fed/state/v1\n" + b"\x01" * 32 + b"\x02" * 8
    times = (3).to_bytes(8, "big") + (4).to_bytes(8, "big") + (5).to_bytes(4, "big")
    digest = hashlib.blake2b(state.canonical_cbor(snapshot), digest_size=32).digest()
    assert message == head + times + digest


def test_apps_are_sorted_by_the_bytes_of_their_ids_on_both_sides() -> None:
    apps = [{"id": name, "status": "running"} for name in ("z", "é", "a")]
    snapshot = state.snapshot_from_object({"apps": apps})
    assert [app.id for app in snapshot.apps] == ["a", "z", "é"]
    unsorted = Snapshot(apps=tuple(reversed(snapshot.apps)))
    assert state.canonical_cbor(unsorted) == state.canonical_cbor(snapshot)


@pytest.mark.parametrize(("percent", "tenths"), [(0, 0), (12, 120), (45.2, 452), (45.25, 453), (99.96, 1000)])
def test_the_receiver_takes_the_nearest_tenth_of_the_cpu(percent: float, tenths: int) -> None:
    assert state.snapshot_from_object({"apps": [], "cpu_usage_percent": percent}).cpu_tenths == tenths


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
        state.snapshot_from_object({"apps": [], **change})


@pytest.mark.parametrize("sig", [None, 7, "A" * 129, "AB", bytes(64)])
def test_a_signature_is_text_of_64_bytes_in_json(sig: object) -> None:
    good = {"epoch": "00" * 8, "seq": 1, "ts": 0, "started": 1, "state": {"apps": []}, "sig": "A" * 86}
    assert state.full_state_from_object(good, binary=False).signature == bytes(64)
    with pytest.raises(WireError):
        state.full_state_from_object({**good, "sig": sig}, binary=False)


def test_a_file_of_the_rust_agent_is_read_leniently() -> None:
    obj = {"timestamp": "2026-01-01T00:00:00Z", "node_name": "", "mem_used_bytes": 1025, "more": 1}
    snapshot = state.snapshot_from_object(obj, lenient=True)
    assert snapshot == Snapshot(mem_used_kib=1)


def test_params_without_have_ask_for_the_plain_snapshot() -> None:
    assert GetStateParams.from_object(None, binary=False).plain
    assert GetStateParams.from_object({"since": "2026-01-01T00:00:00Z"}, binary=False).plain
    assert GetStateParams.from_object({"have": None}, binary=False) == GetStateParams()


@pytest.mark.parametrize("binary", [False, True])
def test_params_survive_both_forms(binary: bool) -> None:
    for params in (GetStateParams(), GetStateParams(plain=True), GetStateParams(have=Have(b"12345678", 9))):
        assert GetStateParams.from_object(params.to_object(binary=binary), binary=binary) == params


def test_the_two_answers_cannot_be_mixed() -> None:
    assert state.answer_from_object({"unchanged": True}, binary=False) == Unchanged()
    for obj in ({"unchanged": False}, {"unchanged": True, "state": {}}, {}):
        with pytest.raises(WireError):
            state.answer_from_object(obj, binary=False)
