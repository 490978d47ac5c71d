"""The calls that the federation makes to peers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from enigma_fed.base import limits
from enigma_fed.base.errors import AnswerBroken, StateRefused
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.state.receiving import Reason
from enigma_fed.wire.join import JoinParams, JoinReply
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.records import Node
from enigma_fed.wire.state import GetStateParams, Have, StateAnswer, answer_from_object

if TYPE_CHECKING:  # the HTTP client is slow to import, and commands without an agent do without it
    from enigma_fed.rpc.client import Reply, RpcClient

GET_STATE: Final = "federation.get-state"
PEER_JOINED: Final = "federation.peer-joined"


class PeerCaller(Protocol):
    """Calls to peers; each raises PeerUnreachable, UnsignedReply, or RefusedByPeer for a signed refusal."""

    async def get_state(self, node: Node, have: Have | None) -> Reply[StateAnswer]:
        """Ask a member for its state; `have` is what we hold of it. Raises StateRefused (malformed) too."""
        ...

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> Reply[JoinReply]:
        """Announce ourselves to an inviter."""
        ...


class RpcPeerCaller:
    """`PeerCaller` over the RPC client."""

    def __init__(self, client: RpcClient) -> None:
        self._client = client

    async def get_state(self, node: Node, have: Have | None) -> Reply[StateAnswer]:
        """`federation.get-state` (PROTOCOL section 2)."""

        def read(result: object) -> StateAnswer:
            return answer_from_object(result, binary=BodyForm.CBOR.binary)

        params = GetStateParams(have=have)
        try:
            return await self._client.call(node.did, node.onion, GET_STATE, params, read, form=BodyForm.CBOR)
        except AnswerBroken as error:
            raise StateRefused(Reason.MALFORMED, error.detail) from None

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> Reply[JoinReply]:
        """`federation.peer-joined` (PROTOCOL section 4)."""
        return await self._client.call(
            did, onion, PEER_JOINED, params, JoinReply.from_object, reply_limit=limits.JOIN_REPLY_BYTES
        )
