"""The federation's RPC method."""

from __future__ import annotations

from enigma_fed.federation.client import PEER_JOINED
from enigma_fed.federation.service import Federation
from enigma_fed.rpc.methods import Caller, Method, Result
from enigma_fed.wire.join import JoinParams


def peer_joined_method(federation: Federation) -> Method:
    """`federation.peer-joined`, the one method that is open to an unknown DID (PROTOCOL section 4)."""

    async def peer_joined(caller: Caller, params: JoinParams) -> Result:
        return await federation.joined(caller.did, params)

    return Method(name=PEER_JOINED, params=JoinParams, handler=peer_joined, open_to_unknown=True)
