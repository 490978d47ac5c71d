"""Who may come in: the `Doorkeeper` of the RPC endpoint, and the answer to a join (PROTOCOL section 4)."""

from __future__ import annotations

import logging
from typing import NoReturn, TypeVar

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.ids import Did
from enigma_fed.base.ratelimit import TokenBucket
from enigma_fed.base.rpc_errors import AwaitingApproval, Busy, InvalidParams, NotAllowed, UnknownToken
from enigma_fed.base.suspension import Suspended
from enigma_fed.federation import inviting, journal, rules
from enigma_fed.federation.client import PEER_JOINED
from enigma_fed.federation.courier import Courier
from enigma_fed.federation.decision import Decide, Decision
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.store import FederationStore
from enigma_fed.federation.subscriptions import Subscriptions
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.identity.signing import verify
from enigma_fed.rpc.methods import Params, Standing
from enigma_fed.wire.join import JoinParams, JoinReply, TokenlessJoin
from enigma_fed.wire.records import Membership, Observation, TrustLevel
from enigma_fed.wire.windows import Window

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Door:
    """The side of the federation that answers peers."""

    def __init__(self, store: FederationStore, node: NodeKey, clock: Clock, hooks: Hooks) -> None:
        self._store = store
        self._node = node
        self._clock = clock
        self._hooks = hooks
        self._courier: Courier | None = None
        self._heard_at: dict[Did, float] = {}
        rate = limits.JOIN_TRIES_UNKNOWN / 60
        self._unknown_tokens = TokenBucket(rate, limits.JOIN_TRIES_UNKNOWN)
        self._tokenless = TokenBucket(rate, limits.JOIN_TRIES_UNKNOWN)

    @property
    def streams(self) -> Subscriptions | None:
        """Our streams; None where none are made."""
        return None if self._courier is None else self._courier.streams

    def standing(self, did: Did) -> Standing:
        """What this DID is here."""
        if did == self._node.did:
            return Standing.SELF
        if self._store.node(did) is not None:
            return Standing.MEMBER
        return Standing.REMOVED if self._store.is_removed(did) else Standing.UNKNOWN

    async def admit(self, did: Did, method: str | None, trust: TrustLevel | None) -> None:
        """Let a caller use a method; its first signed request after a join confirms the join.

        Raises UnknownPeer, Removed, NotAllowed.
        """
        if did == self._node.did:
            return
        if method is None:  # a body that cannot be read: it may be a join, so it confirms nothing
            self._check_member(did)
            return
        join = method == PEER_JOINED
        node = self._store.node(did)
        if node is None or rules.is_confirmed_by(node, join=join):
            await self._apply(lambda m: rules.admit(m, did, trust, self._now(), join=join))
        elif not join:  # nothing to store: no request of a member waits for the disk
            rules.check_rights(node, trust)

    def _check_member(self, did: Did) -> None:
        refusal = rules.admit(self._store.membership, did, None, self._now(), join=False).refusal
        if refusal is not None:
            raise refusal

    def may_stream(self, did: Did) -> bool:
        """Whether a member may (still) read this node's state: it is looked at before each frame."""
        return self._may(did, TrustLevel.OBSERVER)

    def trusts(self, did: Did) -> bool:
        """Whether it is a member that the owner trusts."""
        return self._may(did, TrustLevel.TRUSTED)

    def _may(self, did: Did, level: TrustLevel) -> bool:
        node = self._store.node(did)
        if node is None or self._store.is_removed(did):
            return False
        try:
            rules.check_rights(node, level)
        except NotAllowed:
            return False
        return True

    def check_token(self, params: Params) -> None:
        """Look up a join's token, before any signature; raises UnknownToken, Busy when somebody guesses."""
        if not isinstance(params, JoinParams):
            raise InvalidParams
        if inviting.knows_token(self._store.membership, params.token_hash):
            return
        if not self._unknown_tokens.take(self._clock.boot()):
            raise Busy("too many unknown tokens")
        raise UnknownToken

    def is_legacy(self, did: Did) -> bool:
        """Whether the owner lets this member ask with the old header set."""
        node = self._store.node(did)
        return node is not None and node.legacy

    def admit_legacy(self, did: Did, trust: TrustLevel | None) -> None:
        """Let a member that is marked legacy read; nothing is stored. Raises Unsigned, NotAllowed.

        It is not heard and confirms nothing: whoever received such a request can have sent this one.
        """
        rules.check_legacy(self._store.node(did), trust)

    def awaits_tokenless(self) -> bool:
        """Whether a legacy invite is open, and joins are not suspended."""
        return inviting.awaits_tokenless(self._store.membership, self._now()) and not self.suspended()

    def check_tokenless(self) -> None:
        """Count one join without a token; raises Busy, so that they cost few signature checks."""
        if not self._tokenless.take(self._clock.boot()):
            raise Busy("too many joins without a token")

    async def joined_without_token(self, params: TokenlessJoin) -> NoReturn:
        """Keep a join without a token for the owner, if it can be; raises AwaitingApproval either way.

        Raises InvalidParams for a signature that does not hold; Unsigned, Busy.
        """
        if not verify(params.did.public_key, params.message, params.signature):
            raise InvalidParams("signature: it does not hold")
        if params.did == self._node.did:
            raise InvalidParams("did: this node itself")
        await self._apply(lambda m: inviting.join_without_token(m, params, self._now()))
        raise AwaitingApproval

    def heard(self, did: Did) -> None:
        """A member's signed request came in."""
        if self._store.node(did) is None:
            return
        self._heard_at[did] = self._clock.boot()
        seen = self._store.observations.get(did) or Observation(did=did)
        self._store.observe(
            msgspec.structs.replace(seen, last_seen=self._now(), failures=0, next_poll_at=None)
        )
        if self._courier is not None:
            self._courier.heard(did)

    def announced(self, did: Did, windows: tuple[Window, ...]) -> None:
        """A member's signed answer said when it is off each day, in UTC; none at all when it said nothing."""
        seen = self._store.observations.get(did) or Observation(did=did)
        if self._store.node(did) is not None and seen.away != windows:
            self._store.observe(msgspec.structs.replace(seen, away=windows))

    def suspended(self) -> tuple[Suspended, ...]:
        """Why joins and installs are suspended here; nothing when they are not (PROTOCOL section 5)."""
        reasons = {
            Suspended.RECOVERED: bool(self._store.recoveries),
            Suspended.ANOTHER_COPY: self._hooks.another_copy(),
        }
        return tuple(reason for reason, holds in reasons.items() if holds)

    async def joined(self, caller: Did, params: JoinParams) -> JoinReply:
        """Answer `federation.peer-joined`; raises InvalidParams and the refusals of PROTOCOL section 4.

        Raises Busy while joins are suspended.
        """
        if self.suspended():
            raise Busy("joins are suspended here")  # the joiner tries again
        if params.did != caller:
            raise InvalidParams("did: not the key that signed the request")
        if caller == self._node.did:
            raise InvalidParams("did: this node itself")
        if not verify(params.did.public_key, params.message, params.signature):
            raise InvalidParams("signature: it does not hold")
        try:
            reply = await self._apply(lambda m: inviting.receive(m, params, self._now()))
        except UnknownToken:
            self.check_token(params)
            raise
        assert reply is not None
        return reply

    async def _apply(self, decide: Decide[T]) -> T:
        """Decide, store and log; then bring polling and delivery into line. Raises the decision's refusal."""
        news: list[str] = []

        def noting(before: Membership) -> Decision[T]:
            decision = decide(before)
            news.extend(journal.changes(before, decision.membership))
            return decision

        decision, changed = await self._store.transact(noting)
        if changed:
            for line in news:
                _log.info("%s", line)
            self._follow()
        if decision.refusal is not None:
            raise decision.refusal
        return decision.result

    def _follow(self) -> None:
        """Bring polls and joins into line with the membership."""
        if self._courier is not None:
            self._courier.follow()

    def _now(self) -> int:
        return int(self._clock.wall())
