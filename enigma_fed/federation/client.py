"""The calls that the federation makes to peers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, Protocol

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import AnswerBroken, EnigmaError, StateRefused, WireError
from enigma_fed.base.histogram import Histogram
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.state.receiving import Reason
from enigma_fed.wire import away
from enigma_fed.wire.join import JoinParams, JoinReply
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.records import Node
from enigma_fed.wire.state import (
    DeltaAnswer,
    FullState,
    GetStateParams,
    Have,
    StateAnswer,
    answer_from_object,
)
from enigma_fed.wire.windows import Window

if TYPE_CHECKING:  # the HTTP client is slow to import, and commands without an agent do without it
    from enigma_fed.rpc.client import Reply, RpcClient
    from enigma_fed.rpc.streamclient import StreamClient

GET_STATE: Final = "federation.get-state"
PEER_JOINED: Final = "federation.peer-joined"
_DURATIONS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds; over Tor a call takes about half of one on a standing connection, and ten for a new circuit."""


class PeerCaller(Protocol):
    """Calls to peers; each raises PeerUnreachable, UnsignedReply, or RefusedByPeer for a signed refusal."""

    async def get_state(self, node: Node, have: Have | None, within: float) -> Reply[StateAnswer]:
        """Ask a member for its state; `have` is what we hold of it. Raises StateRefused (malformed) too.

        It takes so many seconds at most.
        """
        ...

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> Reply[JoinReply]:
        """Announce ourselves to an inviter."""
        ...


class PeerStream(Protocol):
    """A stream that stands."""

    epoch: bytes
    """8 bytes: the only epoch that frames may be of."""

    async def frame(self) -> StateAnswer:
        """The next frame; raises StreamEnded."""
        ...

    async def acknowledge(self, seq: int) -> None:
        """Tell that everything up to this state was taken; raises StreamEnded."""
        ...


class StreamCaller(Protocol):
    """Opens streams at peers."""

    def open(
        self, node: Node, have: Have | None, *, ping: float, heard: Callable[[], None]
    ) -> AbstractAsyncContextManager[PeerStream]:
        """A stream from the state `have` on; `ping` is in seconds, `heard` is called at every message.

        Raises PeerUnreachable, UnsignedReply, RefusedByPeer for a signed refusal, StreamNotOffered.
        """
        ...


class RpcStreamCaller:
    """`StreamCaller` over the stream client."""

    def __init__(self, client: StreamClient) -> None:
        self._client = client

    def open(
        self, node: Node, have: Have | None, *, ping: float, heard: Callable[[], None]
    ) -> AbstractAsyncContextManager[PeerStream]:
        """A stream of the member's states (PROTOCOL section 3)."""
        return self._client.open(node.did, node.onion, have, ping=ping, heard=heard)


class RpcPeerCaller:
    """`PeerCaller` over the RPC client."""

    def __init__(
        self,
        client: RpcClient,
        clock: Clock,
        announced: Callable[[Did, tuple[Window, ...]], None] = lambda did, windows: None,
    ) -> None:
        """`announced` hears with each signed state when the peer is off, in UTC (PROTOCOL section 8)."""
        self._client = client
        self._clock = clock
        self._announced = announced
        self.polls: Counter[str] = Counter()
        """Questions for a peer's state by how they ended: `ok`, or the word of the error."""
        self.answers: Counter[str] = Counter()
        """Answers by what they are: `full`, `delta`, `unchanged`; not checked yet."""
        self.poll_durations = Histogram(_DURATIONS)

    async def get_state(
        self, node: Node, have: Have | None, within: float = limits.CALL_TIMEOUT
    ) -> Reply[StateAnswer]:
        """`federation.get-state` (PROTOCOL section 2)."""
        begun, outcome = self._clock.boot(), "cancelled"
        try:
            reply = await self._get_state(node, have, within)
            outcome = "ok"
            self.answers[_kind(reply.result)] += 1
        except EnigmaError as error:
            outcome = error.code
            raise
        finally:
            self.polls[outcome] += 1
            self.poll_durations.note(self._clock.boot() - begun)
        return reply

    async def _get_state(self, node: Node, have: Have | None, within: float) -> Reply[StateAnswer]:
        try:
            reply = await self._client.call(
                node.did,
                node.onion,
                GET_STATE,
                GetStateParams(have=have),
                _read_state,
                form=BodyForm.CBOR,
                timeout=within,
            )
        except AnswerBroken as error:
            raise StateRefused(Reason.MALFORMED, error.detail) from None
        answer, windows = reply.result
        self._announced(node.did, windows)
        return reply.about(answer)

    async def join(self, did: Did, onion: OnionAddress, params: JoinParams) -> Reply[JoinReply]:
        """`federation.peer-joined` (PROTOCOL section 4)."""
        return await self._client.call(
            did, onion, PEER_JOINED, params, JoinReply.from_object, reply_limit=limits.JOIN_REPLY_BYTES
        )


def _read_state(result: object) -> tuple[StateAnswer, tuple[Window, ...]]:
    answer = answer_from_object(result, binary=BodyForm.CBOR.binary)
    try:
        return answer, away.beside(result)
    except WireError as error:
        raise StateRefused(Reason.BAD_AWAY, error.detail) from None


def _kind(answer: StateAnswer) -> str:
    if isinstance(answer, FullState):
        return "full"
    return "delta" if isinstance(answer, DeltaAnswer) else "unchanged"
