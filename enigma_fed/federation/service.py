"""The federation of this node: what its owner can do, and who may come in (PROTOCOL sections 4, 5, 8)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import (
    AgentNotRunning,
    Conflict,
    EnigmaError,
    FieldInvalid,
    InviteTampered,
    InviteUnsigned,
    WriteFailed,
)
from enigma_fed.base.ids import Did, OnionAddress, parse_node_name
from enigma_fed.base.suspension import refusal
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation import accepting, inviting, rules
from enigma_fed.federation.client import PeerCaller
from enigma_fed.federation.courier import Courier
from enigma_fed.federation.decision import Decision
from enigma_fed.federation.exchange import Exchange
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.lines import Traffic
from enigma_fed.federation.lookup import find_peer
from enigma_fed.federation.names import Likeness
from enigma_fed.federation.showing import Showing
from enigma_fed.federation.store import FederationStore
from enigma_fed.federation.subscriptions import Streaming
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.identity.signing import verify
from enigma_fed.storage.recovery import Recovery
from enigma_fed.wire import invite as invite_code
from enigma_fed.wire.invite import Invite
from enigma_fed.wire.records import (
    IncomingInvite,
    Membership,
    Observation,
    OutgoingInvite,
    Stage,
    TrustLevel,
)
from enigma_fed.wire.viewbuild import (
    invalid_entries,
    invite_view,
)
from enigma_fed.wire.views import InvalidView, InviteView, PeerView, PingView
from enigma_fed.wire.windows import Window

_FRACTION: Final = 2.0**32
_log = logging.getLogger(__name__)


class Federation(Showing):
    """Members and invites of this node, polling and join delivery; the `Doorkeeper` of its RPC.

    Without a `client` (a command while no agent runs) only the files change. `open` the store
    before; `start` runs the background work, `close` ends it and writes what is left.
    """

    def __init__(
        self,
        store: FederationStore,
        node: NodeKey,
        onion: OnionAddress,
        name: str | None,
        clock: Clock,
        random: Callable[[int], bytes],
        tasks: Tasks,
        client: PeerCaller | None,
        hooks: Hooks,
        *,
        poll_interval: float = limits.POLL_INTERVAL,
        streaming: Streaming | None = None,
    ) -> None:
        """`random` gives secret random bytes; `poll_interval` is in seconds."""
        super().__init__(store, node, name, clock, hooks, poll_interval)
        self._onion = onion
        self._random = random
        self._tasks = tasks
        self._housekeeping: asyncio.Task[None] | None = None
        if client is not None:
            self._courier = Courier(
                store,
                Exchange(store, node, onion, name, clock, client, self._apply, hooks),
                Traffic(clock, self._chance, tasks, hooks.path_ready),
                interval=poll_interval,
                outcome=self._polled,
                streaming=streaming,
            )

    # Life

    def start(self) -> None:
        """Begin polling and delivering; needs a running loop and a client."""
        self._housekeeping = self._tasks.start("federation housekeeping", self._keep_house())
        self._out().start()

    async def close(self) -> None:
        """End the background work and write what is left; raises StoreError, WriteFailed."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        if self._courier is not None:
            await self._courier.close()
        await self._store.close()

    def lose(self) -> None:
        """Our own way out does not work: failures since it was last proven say nothing of peers."""
        if self._courier is not None:
            self._courier.lose()

    def proven(self) -> None:
        """Something came through our own way out: unless that is lost, failures until now count."""
        if self._courier is not None:
            self._courier.proven()

    def wake(self) -> None:
        """Our own way out works (again): try what is due, and soon what was tried in vain meanwhile."""
        if self._courier is not None:
            self._courier.wake()

    def change_interval(self, seconds: float) -> None:
        """Poll every so many seconds from each peer's next poll on."""
        self._interval = seconds
        if self._courier is not None:
            self._courier.change_interval(seconds)

    # Invites

    async def create_invite(
        self, scope: TrustLevel, ttl: int, *, for_did: Did | None = None, legacy: bool = False
    ) -> InviteView:
        """A new invite with its code; `ttl` in seconds. Raises FieldInvalid, Conflict, WriteFailed.

        Only `for_did` may join with it. While a `legacy` one is open, joins without a token wait for
        the owner. Raises StoreRecovered or AnotherCopy while joins are suspended, as do the others below.
        """
        self._refuse_while_suspended()
        if not limits.INVITE_TTL_MIN <= ttl <= limits.INVITE_TTL_MAX:
            raise FieldInvalid(f"ttl must be from {limits.INVITE_TTL_MIN} s to {limits.INVITE_TTL_MAX} s")
        now = self._now()
        entry = self._make_invite(scope, now, now + ttl, for_did, legacy)
        made = await self._apply(lambda membership: inviting.create(membership, entry, now))
        return invite_view(made, now)

    def _make_invite(
        self, scope: TrustLevel, now: int, expires_at: int, for_did: Did | None, legacy: bool
    ) -> OutgoingInvite:
        token = self._random(invite_code.TOKEN_BYTES)
        did = self._node.did
        draft = invite_code.draft(did, self._onion, token, scope, now, expires_at, self._name, for_did)
        return OutgoingInvite(
            code=draft.seal(self._node.sign(draft.signing_input)),
            did=did,
            onion=self._onion,
            token_hash=invite_code.hash_token(token),
            created_at=now,
            expires_at=expires_at,
            scope=scope,
            stage=Stage.CREATED,
            stage_at=now,
            for_did=for_did,
            legacy=legacy,
        )

    async def accept_invite(self, code: str, trust: TrustLevel, allow_unsigned: bool) -> InviteView:
        """Accept a code: recorded here, then delivered in the background; `trust` is what the inviter gets.

        Raises InviteError, InviteExpired, Conflict, WriteFailed; then nothing is written.
        """
        self._refuse_while_suspended()
        invite = invite_code.decode(code)
        _check_signature(invite, allow_unsigned)
        now = self._now()

        def decide(membership: Membership) -> Decision[IncomingInvite]:
            heard = self._last_seen(membership, invite.did)
            return accepting.accept(
                membership, invite, code, own=self._node.did, trust=trust, now=now, last_heard=heard
            )

        accepted = await self._apply(decide)
        return self._names.marked(invite_view(accepted, now))

    async def revoke(self, invite_id: str) -> InviteView:
        """Make an open invite worthless; raises InviteNotFound, FieldInvalid, Conflict, WriteFailed."""
        now = self._now()
        ended = await self._apply(lambda m: inviting.revoke(m, invite_id, now))
        return invite_view(ended, now)

    # Peers

    async def approve(self, ref: str) -> PeerView:
        """Let a joiner in that waits: its next try succeeds. Raises PeerNotFound, Conflict, WriteFailed."""
        joiner = find_peer(ref, self._waiting())
        self._refuse_while_suspended()
        node = await self._apply(lambda m: inviting.approve(m, joiner.did, self._now()))
        return self._view(node)

    async def set_trust(self, ref: str, level: TrustLevel, legacy: bool | None = None) -> PeerView:
        """Set what the peer may do here and cut what is in flight; raises PeerNotFound, WriteFailed.

        `legacy` lets it ask with the old header set or not; None leaves that as it is.
        """
        known = self._find(ref)
        if level.rank > known.trust_level.rank or (legacy and not known.legacy):
            self._refuse_while_suspended()
        did = known.did
        try:
            node = await self._apply(lambda m: rules.set_trust(m, did, level, legacy))
        finally:
            self._hooks.cut(did)
        return self._view(node)

    async def rename(self, ref: str, name: str | None) -> PeerView:
        """Set our own name for the peer, None for its own; raises FieldInvalid, Conflict, PeerNotFound."""
        did = self._find(ref).did
        alias = None if name is None else parse_node_name(name)
        if self._names.likeness(alias, str(did)) is Likeness.THIS_NODE:
            raise Conflict("this node itself is called so", hint="Choose another name.")
        return self._view(await self._apply(lambda m: rules.rename(m, did, alias)))

    async def pause(self, ref: str, paused: bool) -> PeerView:
        """Stop or resume polling the peer; raises PeerNotFound, WriteFailed."""
        did = self._find(ref).did
        return self._view(await self._apply(lambda m: rules.pause(m, did, paused)))

    async def expect_offline(self, ref: str, windows: tuple[Window, ...]) -> PeerView:
        """Say when the peer is expected to be off, each day; raises PeerNotFound, WriteFailed."""
        did = self._find(ref).did
        return self._view(await self._apply(lambda m: rules.expect_offline(m, did, windows)))

    async def remove(self, ref: str) -> PeerView:
        """Remove a peer, or turn a waiting joiner away, at once; the peer as it was (invariant 6).

        Raises PeerNotFound, FieldInvalid, WriteFailed.
        """
        view = self.peer(ref)
        did = Did.parse(view.did)
        try:
            await self._apply(lambda m: rules.remove(m, did, self._now()))
        finally:  # a write that failed on its way may have removed it all the same
            self._hooks.cut(did)
        self._heard_at.pop(did, None)
        self._store.forget(did)
        self._hooks.removed(did)
        return view

    async def sync(self, ref: str | None) -> list[PeerView]:
        """Poll now and wait for the outcome; a join that is not delivered yet is tried first.

        With a `ref` the failure is raised (PeerUnreachable, RefusedByPeer, Conflict); without,
        it stands in each peer's `last_error`. Raises AgentNotRunning without a client.
        """
        if ref is not None:
            did = self._find(ref).did
            await self._out().reach(did)
            return [self._view(self._find(str(did)))]
        await self._out().reach_all()
        return [self._view(node) for node in self._store.membership.nodes.nodes]

    async def ping(self, ref: str) -> PingView:
        """One signed request, timed; raises what `sync` raises."""
        did = self._find(ref).did
        await self._out().reach(did)
        node = self._find(str(did))
        seen = self._store.observations.get(did) or Observation(did=did)
        return PingView(
            did=str(did), name=node.display_name, latency_ms=seen.latency_ms or 0.0, skew_s=seen.skew_s
        )

    def note_skew(self, did: Did, seconds: int) -> None:
        """A peer's signed answer showed its clock less ours."""
        if self._store.node(did) is not None:
            seen = self._store.observations.get(did) or Observation(did=did)
            self._store.observe(msgspec.structs.replace(seen, skew_s=seconds))

    # What was recovered

    @property
    def store(self) -> FederationStore:
        """The membership, and what is wrong with its files."""
        return self._store

    async def accept_recovered(self) -> tuple[Recovery, ...]:
        """End the degraded mode by the owner's word; what was recovered. Raises StoreError, WriteFailed.

        Every open invite is void from then on: its token may have been used before (invariant 3).
        """
        return await self._store.accept_recovered(lambda m: inviting.void_open(m, self._now()))

    async def drop_invalid(self) -> list[InvalidView]:
        """Forget the entries that are not valid here; what they were. Raises StoreError, WriteFailed."""
        return await self._apply(lambda m: Decision(rules.drop_invalid(m), invalid_entries(m)))

    # Inner parts

    def _refuse_while_suspended(self) -> None:
        error = refusal(self.suspended())
        if error is not None:
            raise error

    def _polled(self, did: Did, answered: bool) -> None:
        if answered:
            self._heard_at[did] = self._clock.boot()

    def _out(self) -> Courier:
        if self._courier is None:
            raise AgentNotRunning(hint="Start it: enigma-fed run")
        return self._courier

    async def _keep_house(self) -> None:
        """Write what polling learned; end invites whose time is over; begin anew what an error ended."""
        while True:
            await self._clock.sleep(limits.OBSERVATIONS_FLUSH)
            self._follow()
            with contextlib.suppress(WriteFailed):  # the store has told it
                await self._store.flush()
            try:
                await self._apply(lambda m: Decision(inviting.sweep(m, self._now()), None))
            except EnigmaError as error:
                _log.warning("housekeeping: %s", error)

    def _chance(self) -> float:
        return int.from_bytes(self._random(4), "big") / _FRACTION


def _check_signature(invite: Invite, allow_unsigned: bool) -> None:
    if invite.signature is None:
        if not allow_unsigned:
            raise InviteUnsigned("sig: missing", hint="To take it all the same: --allow-unsigned")
    elif not verify(invite.did.public_key, invite.signed_bytes, invite.signature):
        raise InviteTampered("sig: it does not hold", hint="Ask for the code again.")
