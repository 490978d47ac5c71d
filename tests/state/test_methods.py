"""`federation.get-state` as a method."""

from __future__ import annotations

from enigma_fed.base.tasks import Tasks
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.methods import Caller, Standing
from enigma_fed.state.methods import get_state_method
from enigma_fed.state.service import StateService
from enigma_fed.wire import away
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import GetStateParams, answer_from_object
from enigma_fed.wire.windows import Window
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


async def test_when_the_node_is_off_is_told_beside_the_state_and_not_to_the_rust_agent() -> None:
    tasks = Tasks()
    service = StateService(KEY, ManualClock(), b"12345678", Still(), lambda: True, tasks)
    method = get_state_method(service, lambda: (Window(1, 2),))
    told = await method.handler(Caller(KEY.did, Standing.MEMBER), GetStateParams())
    plain = await method.handler(Caller(KEY.did, Standing.MEMBER), GetStateParams(plain=True))
    assert away.beside(told.to_object(binary=False)) == (Window(1, 2),)
    assert away.beside(plain.to_object(binary=False)) == ()
    await tasks.close()
