"""The federation's RPC methods."""

from __future__ import annotations

from enigma_fed.federation.client import PEER_JOINED
from enigma_fed.federation.service import Federation
from enigma_fed.rpc.methods import Caller, Method, Result
from enigma_fed.wire.join import JoinParams, TokenlessJoin


def peer_joined_method(federation: Federation) -> Method:
    """`federation.peer-joined`, the one method that is open to an unknown DID (PROTOCOL section 4)."""

    async def peer_joined(caller: Caller, params: JoinParams) -> Result:
        return await federation.joined(caller.did, params)

    return Method(name=PEER_JOINED, params=JoinParams, handler=peer_joined, open_to_unknown=True)


def tokenless_join_method(federation: Federation) -> Method:
    """The same as the Rust agent calls it: no token, no signature of the request (PROTOCOL section 4.7)."""

    async def peer_joined(caller: Caller, params: TokenlessJoin) -> Result:
        return await federation.joined_without_token(params)

    return Method(name=PEER_JOINED, params=TokenlessJoin, handler=peer_joined, open_to_unknown=True)
