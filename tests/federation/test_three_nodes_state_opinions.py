"""The program and a second reading of PROTOCOL section 2 (secondopinion.py) agree about states and deltas."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import WireError
from enigma_fed.wire import statedelta
from enigma_fed.wire.snapshot import Snapshot, canonical_cbor, snapshot_from_object, snapshot_to_object
from enigma_fed.wire.statedelta import StateDelta
from tests.support.faultynetwork import secondopinion as rule
from tests.support.faultynetwork.secondopinion import NotByTheRule, State
from tests.wire.test_snapshot import SNAPSHOTS

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "statedelta.json").read_text(encoding="utf-8"))
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.text("ab", max_size=2) | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 10), inner, max_size=3),
    max_leaves=6,
)
APP = st.tuples(st.text("abc", min_size=1, max_size=2), st.just("up"), st.none() | st.just("1")).map(list)
CHANGES = st.dictionaries(st.integers(0, 5), st.none() | st.just(["down", None]), max_size=3)
GOOD: Any = {
    0: st.text("ab", min_size=1, max_size=3),
    1: CHANGES,
    2: st.integers(0, 1000),
    3: st.integers(0, 9),
    7: st.integers(0, 9) | st.none(),
    8: st.booleans() | st.none(),
    9: st.lists(APP, max_size=2),
}
PATCHES = st.fixed_dictionaries({}, optional=GOOD) | st.fixed_dictionaries(
    {}, optional={key: values | VALUES for key, values in {**GOOD, 10: VALUES}.items()}
)


def canonical(snapshot: Snapshot) -> State:
    state: State = rule.from_object(snapshot_to_object(snapshot))
    assert rule.written(state) == canonical_cbor(snapshot)
    return state


def both(base: Snapshot, delta: bytes) -> tuple[bytes | None, bytes | None]:
    """The canonical state that each makes of it; None where it refuses."""
    ours = theirs = None
    with suppress(WireError):
        ours = canonical_cbor(statedelta.apply(base, statedelta.decode(delta).patch))
    # It takes the kinds of values for granted.
    with suppress(NotByTheRule, KeyError, TypeError, ValueError, AttributeError, IndexError):
        theirs = rule.written(rule.patched(canonical(base), rule.read(delta)[3]))
    return ours, theirs


@given(SNAPSHOTS, SNAPSHOTS)
def test_a_delta_of_ours_leads_where_the_page_says_and_says_nothing_in_vain(
    before: Snapshot, after: Snapshot
) -> None:
    patch = statedelta.diff(before, after)
    delta = rule.read(statedelta.encode(StateDelta(1, 2, 3, patch)))
    assert rule.patched(canonical(before), delta[3]) == canonical(after)
    assert rule.idle_keys(canonical(before), delta[3]) == []


@given(SNAPSHOTS, PATCHES)
def test_whatever_we_take_of_a_delta_is_what_the_page_makes_of_it(base: Snapshot, patch: Any) -> None:
    ours, theirs = both(base, rule.written({0: 1, 1: 2, 2: 3, 3: patch}))
    assert ours is None or ours == theirs


@given(SNAPSHOTS, SNAPSHOTS, st.data())
def test_a_delta_with_a_byte_changed_is_not_read_in_two_ways(
    before: Snapshot, after: Snapshot, data: st.DataObject
) -> None:
    delta = bytearray(statedelta.encode(StateDelta(1, 2, 3, statedelta.diff(before, after))))
    delta[data.draw(st.integers(0, len(delta) - 1))] = data.draw(st.integers(0, 255))
    ours, theirs = both(before, bytes(delta))
    assert ours is None or ours == theirs


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors(vector: dict[str, Any]) -> None:
    ours, theirs = both(snapshot_from_object(vector["before"]), bytes.fromhex(vector["delta"]))
    assert ours is None or ours == theirs
    assert (ours is not None) == (vector["expect"] == "ok")
