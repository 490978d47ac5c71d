"""The states of peers: asked for, checked, kept. What breaks the rules is counted; the last good one stays.

After a first mismatch of an epoch the whole state is asked for at once; after a second one the peer gets no
more chance to send deltas, or a stream, until its next epoch (PROTOCOL section 2).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import StateRefused, UnsignedReply
from enigma_fed.base.ids import Did
from enigma_fed.federation import news, rules
from enigma_fed.federation.client import PeerCaller
from enigma_fed.federation.decision import Decide
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.names import told
from enigma_fed.federation.news import Renames
from enigma_fed.federation.store import FederationStore
from enigma_fed.identity.signing import verify
from enigma_fed.state import receiving
from enigma_fed.state.receiving import Distrust
from enigma_fed.wire.records import Node, Observation, Via
from enigma_fed.wire.state import FullState, Have, StateAnswer

if TYPE_CHECKING:
    from enigma_fed.rpc.client import Reply

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Apply(Protocol):
    """Decide and store."""

    def __call__(self, decide: Decide[T]) -> Awaitable[T]:
        """The decision's result; raises its refusal."""
        ...


class PeerStates:
    """Asks peers for their states and keeps what holds."""

    def __init__(
        self, store: FederationStore, clock: Clock, caller: PeerCaller, apply: Apply, hooks: Hooks
    ) -> None:
        self._store = store
        self._clock = clock
        self._caller = caller
        self._apply = apply
        self._hooks = hooks
        self._distrusts: dict[Did, Distrust] = {}
        self._renames = Renames()
        self.refusals: Counter[str] = Counter()
        """States that were refused, by the words of state.receiving.Reason."""
        self._refused_of: dict[Did, str] = {}

    def held(self, did: Did) -> FullState | None:
        """The last good state of a peer."""
        seen = self._store.observations.get(did)
        return None if seen is None else seen.state

    def have(self, did: Did) -> Have | None:
        """What to name in a question to this peer: the state held, unless its deltas are not believed."""
        return receiving.have_of(self.held(did), self._distrusts.get(did))

    def takes_deltas(self, did: Did) -> bool:
        """Whether this peer may send deltas and a stream: fewer than two mismatches in its epoch."""
        distrust = self._distrusts.get(did)
        return distrust is None or distrust.takes_deltas

    def refused(self, did: Did) -> str | None:
        """Why the newest state that came of this peer was refused; None when it was taken."""
        return self._refused_of.get(did)

    async def poll(self, node: Node) -> None:
        """Ask a peer for its state, and once more for the whole if what came does not hold.

        Both together take no longer than one call may.
        Raises what the caller raises, StateRefused, and what storing raises.
        """
        named = self.have(node.did) is not None
        ends = self._clock.boot() + limits.CALL_TIMEOUT
        try:
            await self._ask(node, limits.CALL_TIMEOUT)
        except StateRefused as error:
            left = ends - self._clock.boot()
            if not named or not self.takes_deltas(node.did) or left <= 0:
                raise
            _log.info("%s: %s; asking for the whole state", told(node), error.detail)
            await self._ask(node, left)

    async def take_frame(
        self, node: Node, before: FullState | None, answer: StateAnswer, epoch: bytes
    ) -> FullState:
        """Keep the state of a stream's frame, and return it: it is `before` of the next frame.

        `before` is the state that the frame before left, at first the one named in the request (None without
        one); `epoch`, 8 bytes, the one that the signed beginning of the stream named: no other is taken. The
        peer counts as heard. Raises StateRefused, counted and remembered like that of a poll: then
        the stream is to end, and the peer to be polled at once.
        """
        state = self._check(node, before, answer, named=before is not None, epoch=epoch)
        seen = self._store.observations.get(node.did) or Observation(did=node.did)
        # What a whole state that begins a stream replaces is whatever we have: it may be of an older epoch.
        replaced = before or self.held(node.did)
        await self._keep(node, replaced, state, Via.STREAM, latency_ms=seen.latency_ms, skew_s=seen.skew_s)
        return state

    async def _ask(self, node: Node, within: float) -> None:
        held, have = self.held(node.did), self.have(node.did)
        try:
            reply: Reply[StateAnswer] = await self._caller.get_state(node, have, within)
        except StateRefused as error:
            self._refused(node, held, error)
            raise
        except UnsignedReply:
            self.refusals[receiving.Reason.UNSIGNED] += 1  # no mismatch: anybody on the way can send that
            raise
        state = self._check(node, held, reply.result, named=have is not None)
        latency_ms = round(reply.latency_s * 1000, 1)
        await self._keep(node, held, state, Via.POLL, latency_ms=latency_ms, skew_s=reply.skew_s)

    def _check(
        self,
        node: Node,
        held: FullState | None,
        answer: StateAnswer,
        *,
        named: bool,
        epoch: bytes | None = None,
    ) -> FullState:
        try:
            return receiving.receive(held, answer, node.did, verify, named=named, epoch=epoch)
        except StateRefused as error:
            self._refused(node, held, error)
            raise

    def _refused(self, node: Node, held: FullState | None, error: StateRefused) -> None:
        self.refusals[error.reason] += 1
        members = {did: kept for did, kept in self._distrusts.items() if self._store.node(did) is not None}
        if self._store.node(node.did) is not None:
            members[node.did] = receiving.mistrust(members.get(node.did), held)
            self._refused_of[node.did] = error.reason
        self._distrusts = members
        self._refused_of = {did: why for did, why in self._refused_of.items() if did in members}

    async def _keep(
        self,
        node: Node,
        held: FullState | None,
        state: FullState,
        via: Via,
        *,
        latency_ms: float | None,
        skew_s: int | None,
    ) -> None:
        did, now = node.did, int(self._clock.wall())
        await self._note_answer(node, state.snapshot.node_name, now)
        if self._store.node(did) is None:
            return  # removed while the answer was on its way (invariant 6)
        seen = self._store.observations.get(did) or Observation(did=did)
        if seen.failures:
            _log.info("%s answers again", told(node))
        self._refused_of.pop(did, None)
        kept = receiving.newest(seen.state, held, state)
        distrust = receiving.believe(self._distrusts.pop(did, None), kept)
        if distrust is not None:
            self._distrusts[did] = distrust
        self._store.observe(
            msgspec.structs.replace(
                seen,
                last_seen=now,
                state=kept,
                via=seen.via if kept is seen.state else via,
                latency_ms=latency_ms,
                skew_s=skew_s,
                failures=0,
                last_error=None,
                last_error_at=None,
                next_poll_at=None,
            )
        )
        self._hooks.state_stored(did, kept.snapshot, now)

    async def _note_answer(self, node: Node, name: str | None, now: int) -> None:
        """Store what the answer says of the membership: mostly nothing, and then no disk is touched."""
        known, awaited = self._store.node(node.did), self._store.is_awaited(node.did)
        if not news.answered(known, node, awaited, name=name):
            return
        renamed = known is not None and name is not None and name != known.name
        if renamed and not self._renames.take(node.did, self._clock.boot()):
            name = None
            if not news.answered(known, node, awaited, name=name):
                return
        await self._apply(lambda m: rules.poll_answered(m, node, now, name=name))
