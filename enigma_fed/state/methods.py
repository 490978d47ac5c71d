"""The state's RPC method."""

from __future__ import annotations

from collections.abc import Callable

from enigma_fed.rpc.methods import Caller, Method, Result
from enigma_fed.state.results import PlainResult
from enigma_fed.state.service import StateService
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.state import GetStateParams
from enigma_fed.wire.windows import Window


def get_state_method(service: StateService, away: Callable[[], tuple[Window, ...]] = tuple) -> Method:
    """`federation.get-state`, for observers and above and for the node itself (PROTOCOL section 2).

    `away` tells when this node announces to be off, in UTC (section 8).
    """

    async def get_state(caller: Caller, params: GetStateParams) -> Result:
        result = await service.answer(params)
        return result if isinstance(result, PlainResult) else result.announcing(away())

    return Method(
        name="federation.get-state",
        params=GetStateParams,
        handler=get_state,
        trust=TrustLevel.OBSERVER,
        open_to_self=True,
    )
