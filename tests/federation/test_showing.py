"""What the owner is shown of peers and joins: marked wherever a name looks like another's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from enigma_fed.base.errors import Conflict, FieldInvalid
from enigma_fed.base.ids import Did
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation import showing
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.wire.records import Observation
from enigma_fed.wire.state import FullState, Snapshot
from tests.support.fakenetwork import random_bytes
from tests.support.identities import did, key, onion
from tests.support.manualclock import ManualClock
from tests.support.members import NOW, member, pending
from tests.support.memberships import commit, membership


@pytest.fixture
async def federation(tmp_path: Path) -> Federation:
    FederationStore.create(tmp_path)
    store = FederationStore(tmp_path)
    store.open()
    waiting = [pending(4, name="Attic", expires_at=NOW + 10**9)]
    nodes = [member(1, name="attic"), member(2, name="\u0430ttic"), member(3, name="Cellar", alias="mine")]
    await commit(store, membership(nodes=nodes, waiting=waiting))
    clock = ManualClock(wall=NOW)
    return Federation(store, key(9), onion(9), "cellar", clock, random_bytes(9), Tasks(), None, Hooks())


async def test_twins_are_marked_everywhere(federation: Federation) -> None:
    found = {view.did: view.name_like for view in federation.peers()}
    assert found == {str(did(1)): "peer", str(did(2)): "peer", str(did(3)): None, str(did(4)): "peer"}
    assert federation.peer(str(did(1))).name_like == "peer"
    assert federation.peer(str(did(4))).name_like == "peer"
    assert [view.name_like for view in federation.invites()] == ["peer"]
    with pytest.raises(FieldInvalid, match="fits 2 peers"):
        federation.peer("attic")


async def test_the_marks_follow_what_is_renamed(federation: Federation) -> None:
    await federation.rename(str(did(1)), "Gran")
    assert federation.peer("Gran").name_like is None
    await federation.rename("mine", None)
    assert federation.peer(str(did(3))).name_like == "this-node"


class Outgoing:
    """What of the courier is shown."""

    cut_off = False

    def __init__(self, since: float | None, refused: str | None) -> None:
        self.since, self.why = since, refused

    def next_poll(self, found: Did) -> float | None:
        return None

    def stream_since(self, found: Did) -> float | None:
        return self.since

    def refused(self, found: Did) -> str | None:
        return self.why


@pytest.mark.parametrize(
    ("age", "since", "refused", "expected"),
    [
        (10, 9_000.0, None, ("2027-01-15T07:43:20Z", None, False)),
        (300, None, None, (None, None, False)),
        (301, None, None, (None, None, True)),
        (10, None, "lower-seq", (None, "lower-seq", True)),
    ],
)
async def test_streams_and_old_states_are_shown(
    federation: Federation, age: int, since: float | None, refused: str | None, expected: tuple[Any, ...]
) -> None:
    state = FullState(
        epoch=bytes(8), started=NOW - age, seq=1, ts=0, snapshot=Snapshot(), signature=bytes(64)
    )
    federation.store.observe(Observation(did=did(1), state=state))
    federation._courier = cast(Any, Outgoing(since, refused))
    view = federation.peer(str(did(1)))
    assert (view.stream_since, view.state_refused, view.state_old) == expected
    assert not federation.peer(str(did(2))).state_old, "there is none"


@pytest.mark.parametrize("name", ["cellar", "CEIIar", "ATTIC", "Mine"])
async def test_a_name_of_the_owners_is_like_no_other(federation: Federation, name: str) -> None:
    with pytest.raises(Conflict):
        await federation.rename(str(did(2)), name)


async def test_a_long_list_leaves_the_rest_of_the_agent_its_turns(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "_AT_ONCE", 1)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    assert await federation.peers_in_turns() == federation.peers()
    assert turns == 3
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
