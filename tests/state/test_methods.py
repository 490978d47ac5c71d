"""`federation.get-state` as a method."""

from __future__ import annotations

from enigma_fed.base.tasks import Tasks
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.methods import Caller, Standing
from enigma_fed.state.methods import get_state_method
from enigma_fed.state.service import StateService
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import GetStateParams, answer_from_object
from tests.support.manualclock import ManualClock

KEY = NodeKey.generate(bytes(range(32)))


class Still:
    def sample(self, tor_active: bool) -> Snapshot:
        return Snapshot(tor_active=tor_active)


async def test_observers_and_the_node_itself_may_ask() -> None:
    tasks = Tasks()
    service = StateService(KEY, ManualClock(), b"12345678", Still(), lambda: True, tasks)
    method = get_state_method(service)
    assert method.name == "federation.get-state"
    assert method.trust is TrustLevel.OBSERVER
    assert method.open_to_self
    assert not method.open_to_unknown
    assert not method.challenge
    result = await method.handler(Caller(KEY.did, Standing.MEMBER), GetStateParams())
    state = answer_from_object(result.to_object(binary=True), binary=True)
    assert state == await service.current()
    await tasks.close()
