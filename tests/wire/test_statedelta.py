"""Patches and deltas (PROTOCOL section 2)."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import cbor, statedelta
from enigma_fed.wire.snapshot import App, Snapshot, snapshot_from_object, snapshot_to_object
from enigma_fed.wire.statedelta import AppChange, Patch, StateDelta
from tests.wire.test_snapshot import SNAPSHOTS

VECTORS = Path(__file__).parents[1] / "vectors" / "statedelta.json"
NUMBERS = st.integers(0, limits.INTEGER_MAX - 1)
ROWS: Any = st.tuples(NUMBERS, st.integers(1, 100), st.integers(0, 2**32 - 1), SNAPSHOTS, SNAPSHOTS)


def apps(*ids: str, status: str = "running") -> tuple[App, ...]:
    return tuple(App(id=name, status=status, version="1") for name in ids)


def vectors() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, Any]) -> None:
    before = snapshot_from_object(vector["before"])
    data = bytes.fromhex(vector["delta"])
    if vector["expect"] != "ok":
        with pytest.raises(WireError) as caught:
            statedelta.apply(before, statedelta.decode(data).patch)
        assert caught.value.code == vector["expect"]
        return
    delta = statedelta.decode(data)
    after = statedelta.apply(before, delta.patch)
    assert snapshot_to_object(after) == vector["after"]
    assert (delta.base, delta.seq, delta.ts) == (vector["base"], vector["seq"], vector["ts"])
    assert statedelta.diff(before, after) == delta.patch
    assert statedelta.encode(delta) == data


@given(SNAPSHOTS, SNAPSHOTS)
def test_a_patch_leads_from_any_state_to_any_other(before: Snapshot, after: Snapshot) -> None:
    assert statedelta.apply(before, statedelta.diff(before, after)) == after


@given(SNAPSHOTS, SNAPSHOTS)
def test_no_key_of_a_patch_could_be_left_out(before: Snapshot, after: Snapshot) -> None:
    patch = statedelta.diff(before, after)
    for key, value in statedelta.to_map(patch).items():
        name = dict(statedelta._FIELDS).get(key)
        fewer: list[Patch] = []
        if name is not None:
            fewer = [msgspec.structs.replace(patch, **{name: msgspec.UNSET})]
        elif key == 1:
            rest = [patch.changed[:at] + patch.changed[at + 1 :] for at in range(len(patch.changed))]
            fewer = [msgspec.structs.replace(patch, changed=changed) for changed in rest]
        else:
            rest_added = [patch.added[:at] + patch.added[at + 1 :] for at in range(len(patch.added))]
            fewer = [msgspec.structs.replace(patch, added=added) for added in rest_added]
        assert fewer, (key, value)
        assert all(statedelta.apply(before, one) != after for one in fewer)


@given(ROWS)
def test_a_delta_goes_round(row: Any) -> None:
    base, step, ts, before, after = row
    seq = min(base + step, limits.INTEGER_MAX)
    delta = StateDelta(base, seq, ts, statedelta.diff(before, after))
    assert statedelta.decode(statedelta.encode(delta)) == delta


@given(st.binary(max_size=100))
def test_any_bytes_give_a_delta_or_the_declared_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        assert statedelta.encode(statedelta.decode(data)) == data


def test_nothing_changed_is_an_empty_patch() -> None:
    """Two states with other numbers can be alike: what changed in between changed back."""
    same = Snapshot(apps=apps("a"), cpu_tenths=1)
    assert statedelta.diff(same, same) == Patch()
    assert statedelta.encode(StateDelta(1, 3, 9, Patch())).hex() == "a400010103020903a0"


def test_cpu_memory_and_uptime_among_thirty_apps_take_forty_bytes() -> None:
    before = Snapshot(
        node_name="attic", apps=apps(*(f"app-{number:02}" for number in range(30))), cpu_tenths=125,
        mem_used_kib=8_123_456, mem_total_kib=16_000_000, disk_used_kib=200_000_000,
        disk_total_kib=500_000_000, uptime_secs=1_234_567, tor_active=True,
    )  # fmt: skip
    after = msgspec.structs.replace(before, cpu_tenths=431, mem_used_kib=8_200_000, uptime_secs=1_234_577)
    patch = statedelta.diff(before, after)
    assert len(cbor.encode(statedelta.to_map(patch))) <= 20
    assert len(statedelta.encode(StateDelta(123_456, 123_457, 1_234_567, patch))) <= 40


def test_apps_are_counted_in_the_order_of_the_canonical_state() -> None:
    before = Snapshot(apps=(*apps("z"), *apps("a")))
    after = Snapshot(apps=(*apps("z", status="stopped"), *apps("b"), *apps("a")))
    patch = statedelta.diff(before, after)
    assert patch == Patch(changed=(AppChange(1, "stopped", "1"),), added=apps("b"))
    assert [app.id for app in statedelta.apply(before, patch).apps] == ["a", "b", "z"]


def test_an_app_that_went_and_came_again_is_a_changed_app() -> None:
    before, after = Snapshot(apps=apps("a", "b")), Snapshot(apps=(App(id="a", status="new"), *apps("b")))
    assert statedelta.diff(before, after) == Patch(changed=(AppChange(0, "new"),))


@pytest.mark.parametrize(
    "patch",
    [
        Patch(node_name=None),
        Patch(tor_active=None),
        Patch(cpu_tenths=None),
        Patch(changed=(AppChange(1, "running"),)),
        Patch(changed=(AppChange(511),)),
        Patch(added=apps("a")),
        Patch(changed=(AppChange(0),), added=apps("a")),
    ],
    ids=str,
)
def test_invariant_11_a_patch_that_does_not_fit_its_base_is_refused(patch: Patch) -> None:
    with pytest.raises(WireError):
        statedelta.apply(Snapshot(apps=apps("a")), patch)


def test_invariant_7_a_patch_leaves_no_more_apps_than_a_state_has() -> None:
    full = Snapshot(apps=apps(*(f"{number:03}" for number in range(limits.APPS_PER_STATE))))
    exchanged = Patch(changed=(AppChange(0),), added=apps("x"))
    assert len(statedelta.apply(full, exchanged).apps) == limits.APPS_PER_STATE
    with pytest.raises(WireError):
        statedelta.apply(full, Patch(added=apps("x")))


def test_the_largest_delta_can_be_read() -> None:
    texts = [f"{number:03}".ljust(limits.APP_FIELD_BYTES, "x") for number in range(2 * limits.APPS_PER_STATE)]
    old, new = (
        Snapshot(apps=tuple(App(id=t, status=t, version=t) for t in half))
        for half in (texts[: limits.APPS_PER_STATE], texts[limits.APPS_PER_STATE :])
    )
    delta = StateDelta(0, limits.INTEGER_MAX, 2**32 - 1, statedelta.diff(old, new))
    assert statedelta.decode(statedelta.encode(delta)) == delta


GOOD = {0: 1, 1: 2, 2: 3, 3: {2: 7}}


@pytest.mark.parametrize(
    "members",
    [
        {0: 1, 1: 2, 2: 3},
        {**GOOD, 4: 1},
        {**GOOD, 0: 2},
        {**GOOD, 0: -1},
        {**GOOD, 1: 1.5},
        {**GOOD, 2: 2**32},
        {**GOOD, 2: None},
        {**GOOD, 3: []},
        {**GOOD, 3: None},
        {**GOOD, 3: {10: 1}},
        {**GOOD, 3: {"2": 7}},
        {**GOOD, 3: {0: ""}},
        {**GOOD, 3: {0: 7}},
        {**GOOD, 3: {0: "\x1b[31mred"}},
        {**GOOD, 3: {2: -1}},
        {**GOOD, 3: {2: 1_000_001}},
        {**GOOD, 3: {2: 1.5}},
        {**GOOD, 3: {3: 2**53 // 1024}},
        {**GOOD, 3: {7: True}},
        {**GOOD, 3: {8: 1}},
        {**GOOD, 3: {1: {}}},
        {**GOOD, 3: {1: []}},
        {**GOOD, 3: {1: {512: None}}},
        {**GOOD, 3: {1: {"0": None}}},
        {**GOOD, 3: {1: {0: ["running"]}}},
        {**GOOD, 3: {1: {0: "running"}}},
        {**GOOD, 3: {1: {0: ["", None]}}},
        {**GOOD, 3: {1: {0: ["running", "\u202e"]}}},
        {**GOOD, 3: {1: {0: ["running", "x" * 129]}}},
        {**GOOD, 3: {1: dict.fromkeys(range(513))}},
        {**GOOD, 3: {9: []}},
        {**GOOD, 3: {9: {}}},
        {**GOOD, 3: {9: None}},
        {**GOOD, 3: {9: [["a", "running"]]}},
        {**GOOD, 3: {9: [["b", "running", None], ["a", "running", None]]}},
        {**GOOD, 3: {9: [["a", "running", None], ["a", "stopped", None]]}},
        {**GOOD, 3: {9: [[f"{number:03}", "running", None] for number in range(513)]}},
        [1, 2, 3, {}],
    ],
    ids=lambda members: str(members)[:60],
)
def test_invariant_7_a_delta_has_one_form_and_bounded_values(members: object) -> None:
    assert statedelta.decode(cbor.encode(GOOD)) == StateDelta(1, 2, 3, Patch(cpu_tenths=7))
    with pytest.raises(WireError):
        statedelta.decode(cbor.encode(members))


@pytest.mark.parametrize("data", ["a400010102020303a1021807", "a40101000102020303a10207", "bf0001ff", ""])
def test_only_deterministic_cbor_is_read(data: str) -> None:
    with pytest.raises(WireError):
        statedelta.decode(bytes.fromhex(data))


def test_invariant_7_a_delta_is_bounded_before_it_is_decoded() -> None:
    with pytest.raises(WireError, match="more than"):
        statedelta.decode(b"\x80" * (limits.BODY_ITEMS + 1))
    with pytest.raises(WireError, match="more than"):
        statedelta.decode(cbor.encode(b"x" * limits.REPLY_BYTES))
