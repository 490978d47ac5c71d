"""One exchange with a peer: a poll, or the delivery of a join, and what is stored of its outcome.

Only signed answers change what is stored, the failure counts and the shown error apart (invariant 11).
"""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import (
    EnigmaError,
    NoWayOut,
    PeerNotFound,
    PeerUnreachable,
    RefusedByPeer,
    UnsignedReply,
    WireError,
)
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.base.rpc_errors import UnknownToken
from enigma_fed.base.suspension import Suspended, refusal
from enigma_fed.federation import accepting, news, rules
from enigma_fed.federation.client import PeerCaller
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.names import told
from enigma_fed.federation.slots import Slots
from enigma_fed.federation.states import Apply, PeerStates
from enigma_fed.federation.store import FederationStore
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.wire.invite import decode
from enigma_fed.wire.join import JoinParams, joining_message
from enigma_fed.wire.records import IncomingInvite, Node, Observation

_log = logging.getLogger(__name__)

_NOT_KNOWN_THERE: Final = "The other node says it does not know this code; it is tried again."


class Exchange:
    """Polls and joins over a `PeerCaller`."""

    def __init__(
        self,
        store: FederationStore,
        node: NodeKey,
        onion: OnionAddress,
        name: str | None,
        clock: Clock,
        caller: PeerCaller,
        apply: Apply,
        hooks: Hooks,
    ) -> None:
        self._store = store
        self._node = node
        self._onion = onion
        self._name = name
        self._clock = clock
        self._caller = caller
        self._apply = apply
        self.states = PeerStates(store, clock, caller, apply, hooks)
        self.slots = Slots()
        self._silent: set[Did] = set()
        """Peers whose last poll since our start was not answered, whatever was heard of them since."""

    @staticmethod
    def was_heard(error: EnigmaError | None) -> bool:
        """Whether the peer itself answered: a result, or a refusal that it signed."""
        return error is None or isinstance(error, RefusedByPeer)

    async def poll(self, did: Did) -> EnigmaError | None:
        """Ask a peer for its state and store it; the error when that failed.

        Raises StoreError, WriteFailed when a refusal could not be stored.
        """
        seen = self._store.observations.get(did)
        silent = did in self._silent or (seen is not None and seen.failures > 0)
        async with self.slots.taken(did, silent=silent):
            node = self._store.node(did)
            error = PeerNotFound("it was removed") if node is None else await self._poll(node)
        if node is None or self.was_heard(error):
            self._silent.discard(did)
        elif not isinstance(error, NoWayOut):
            self._silent.add(did)
        return error

    def forgive(self, did: Did) -> None:
        """Its failures so far do not count: its next poll is not one of a silent peer."""
        self._silent.discard(did)

    async def deliver(self, entry: IncomingInvite) -> EnigmaError | None:
        """Announce ourselves to an inviter once; the error unless it said yes.

        Raises StoreError, WriteFailed when what came of it could not be stored.
        """
        async with self.slots.taken(entry.did, silent=entry.attempts > 0):
            return await self._deliver(entry)

    async def give_up(self, entry: IncomingInvite) -> None:
        """End a join whose time is over; raises StoreError, WriteFailed."""
        await self._apply(lambda m: accepting.give_up(m, entry.token_hash, self._now()))

    async def _poll(self, node: Node) -> EnigmaError | None:
        try:
            await self.states.poll(node)
        except RefusedByPeer as error:
            await self._store_refusal(node, error)
            return error
        except NoWayOut as error:  # it says nothing of the peer
            return error
        except EnigmaError as error:
            self._note_failure(node, error)
            return error
        return None

    async def _deliver(self, entry: IncomingInvite) -> EnigmaError | None:
        if self._store.recoveries:  # the copy may not know that the owner removed this peer
            return refusal((Suspended.RECOVERED,))
        try:
            reply = await self._caller.join(entry.did, entry.onion, self._params(entry))
        except RefusedByPeer as error:
            word = error.code
            await self._apply(lambda m: accepting.join_refused(m, entry.token_hash, word, self._now()))
            return error
        except NoWayOut as error:
            return error
        except EnigmaError as error:
            why = _unanswered(error)
            await self._apply(lambda m: accepting.tried(m, entry.token_hash, why, self._now()))
            return error
        granted = reply.result.trust
        await self._apply(lambda m: accepting.announced(m, entry.token_hash, granted, self._now()))
        return None

    def _params(self, entry: IncomingInvite) -> JoinParams:
        assert entry.code is not None
        did = self._node.did
        return JoinParams(
            did=did,
            onion=self._onion,
            token=decode(entry.code).token,
            signature=self._node.sign(joining_message(did, self._onion)),
            name=self._name,
        )

    async def _store_refusal(self, node: Node, error: RefusedByPeer) -> None:
        self._note_failure(node, error, heard=True)
        known, awaited = self._store.node(node.did), self._store.is_awaited(node.did)
        if news.refused(known, node, awaited, error.code):
            await self._apply(lambda m: rules.poll_refused(m, node, error.code, self._now()))

    def _note_failure(self, node: Node, error: EnigmaError, *, heard: bool = False) -> None:
        if self._store.node(node.did) is None:
            return
        now = self._now()
        seen = self._store.observations.get(node.did) or Observation(did=node.did)
        if not seen.failures:
            _log.info("%s does not answer: %s", told(node), _plain(error))
        self._store.observe(
            msgspec.structs.replace(
                seen,
                last_seen=now if heard else seen.last_seen,
                failures=seen.failures + 1,
                last_error=_plain(error),
                last_error_at=now,
            )
        )

    def _now(self) -> int:
        return int(self._clock.wall())


def _unanswered(error: EnigmaError) -> str:
    if isinstance(error, UnsignedReply) and error.claimed_code == UnknownToken.code:
        return _NOT_KNOWN_THERE
    return _plain(error)


def _plain(error: EnigmaError) -> str:
    """One printable line of bounded size: parts of it may be the peer's words."""
    detail = error.detail if isinstance(error, PeerUnreachable | WireError) and error.detail else str(error)
    return "".join(c if c.isprintable() else " " for c in detail)[: limits.ERROR_CHARACTERS]
