"""States of all members together are bounded; who finds no room is asked again, and loses nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.ids import Did
from enigma_fed.federation.statebudget import StateBudget, weigh
from enigma_fed.federation.store import FederationStore
from enigma_fed.wire.records import Observation
from enigma_fed.wire.snapshot import App, Snapshot, snapshot_to_object
from enigma_fed.wire.state import FullState
from tests.support.identities import did


def seen(who: Did, apps: int) -> Observation:
    snapshot = Snapshot(apps=tuple(App(id=f"app {number}", status="up") for number in range(apps)))
    state = FullState(epoch=bytes(8), started=1, seq=1, ts=1, snapshot=snapshot, signature=bytes(64))
    return Observation(did=who, last_seen=7, state=state)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> int:
    """A budget for two states of ten apps."""
    state = seen(did(1), 10).state
    assert state is not None
    monkeypatch.setattr(limits, "STATES_BYTES", 2 * weigh(state.snapshot))
    return limits.STATES_BYTES


@pytest.mark.usefixtures("room")
def test_invariant_7_states_of_all_members_are_bounded_together() -> None:
    budget = StateBudget()
    assert all(budget.admit(seen(did(number), 10)).state for number in (1, 2))
    third = budget.admit(seen(did(3), 10))
    assert (third.state, third.last_seen) == (None, 7)
    assert budget.admit(seen(did(3), 0)).state is not None
    assert budget.admit(seen(did(1), 11)).state is None, "no larger than before either"
    assert budget.admit(seen(did(3), 10)).state is not None, "the first has made room"


@pytest.mark.usefixtures("room")
def test_who_leaves_makes_room() -> None:
    budget = StateBudget()
    for number in (1, 2):
        budget.admit(seen(did(number), 10))
    budget.forget(did(1))
    budget.forget(did(1))
    assert budget.admit(seen(did(3), 10)).state is not None
    budget.admit(msgspec.structs.replace(seen(did(2), 10), state=None))
    assert budget.admit(seen(did(1), 10)).state is not None


def test_the_same_state_again_is_not_weighed_again(room: int) -> None:
    budget = StateBudget()
    known = seen(did(1), 19)
    for _ in range(5):
        assert budget.admit(known) is known
    assert room / 2 < budget._total <= room


_texts = st.text(min_size=1, max_size=40)


@given(st.lists(st.builds(App, id=_texts, status=_texts, version=st.none() | _texts), max_size=20))
def test_a_weight_is_never_less_than_the_json(apps: list[App]) -> None:
    snapshot = Snapshot(apps=tuple(apps))
    bare = len(msgspec.json.format(msgspec.json.encode(snapshot_to_object(Snapshot())), indent=1))
    written = msgspec.json.format(msgspec.json.encode(snapshot_to_object(snapshot)), indent=1)
    assert json.loads(written)
    assert len(written) - bare <= weigh(snapshot) + 8


@pytest.mark.usefixtures("room")
async def test_a_store_keeps_to_it_across_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    FederationStore.create(folder)
    store = FederationStore(folder)
    store.open()
    for number in (1, 2, 3):
        store.observe(seen(did(number), 10))
    await store.flush()
    again = FederationStore(folder)
    again.open()
    for found in (store, again):
        assert [found.observations[did(number)].state is None for number in (1, 2, 3)] == [False, False, True]
    store.forget(did(1))
    store.observe(seen(did(3), 10))
    assert store.observations[did(3)].state is not None
    await store.close()
