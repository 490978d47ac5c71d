"""The state's RPC method."""

from __future__ import annotations

from enigma_fed.rpc.methods import Caller, Method, Result
from enigma_fed.state.service import StateService
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.state import GetStateParams


def get_state_method(service: StateService) -> Method:
    """`federation.get-state`, for observers and above and for the node itself (PROTOCOL section 2)."""

    async def get_state(caller: Caller, params: GetStateParams) -> Result:
        return await service.answer(params)

    return Method(
        name="federation.get-state",
        params=GetStateParams,
        handler=get_state,
        trust=TrustLevel.OBSERVER,
        open_to_self=True,
    )
