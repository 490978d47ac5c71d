"""What the owner is shown of peers and invites."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from enigma_fed.base.clock import Clock
from enigma_fed.base.errors import PeerNotFound
from enigma_fed.base.ids import Did
from enigma_fed.federation import inviting
from enigma_fed.federation.courier import Courier
from enigma_fed.federation.door import Door
from enigma_fed.federation.glance import Glance, glance
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.liveness import is_old
from enigma_fed.federation.lookup import find_peer
from enigma_fed.federation.names import NameBook
from enigma_fed.federation.presence import show
from enigma_fed.federation.store import FederationStore
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.wire.records import IncomingInvite, Membership, Node, OutgoingInvite, PendingJoin
from enigma_fed.wire.timestamps import to_text
from enigma_fed.wire.viewbuild import (
    invalid_entries,
    invalid_invite_view,
    invalid_view,
    invite_view,
    pending_view,
)
from enigma_fed.wire.views import InvalidView, InviteView, PeerView

_AT_ONCE: Final = 32
"""Peers that are made ready to be shown before others get their turn."""


class Showing(Door):
    """The side of the federation that its owner looks at; nothing here changes anything."""

    def __init__(
        self,
        store: FederationStore,
        node: NodeKey,
        name: str | None,
        clock: Clock,
        hooks: Hooks,
        interval: float,
    ) -> None:
        """`name` is this node's; `interval` is that of the polls, in seconds."""
        super().__init__(store, node, clock, hooks)
        self._name = name
        self._name_book = NameBook(Membership(), name)
        self._interval = interval

    def invites(self) -> list[InviteView]:
        """Every invite made here or accepted here, joins that wait for the owner, entries not valid here."""
        invites = self._store.membership.invites
        now = self._clock.wall()
        entries: tuple[OutgoingInvite | IncomingInvite | PendingJoin, ...]
        entries = (*invites.outgoing, *invites.incoming, *self._waiting())
        return [
            *(self._names.marked(invite_view(entry, now)) for entry in entries),
            *(invalid_invite_view(raw) for raw in invites.invalid),
        ]

    def peers(self) -> list[PeerView]:
        """Every peer, every join that waits, and every entry of nodes.json that is not valid here."""
        membership = self._store.membership
        return [*map(self._view, membership.nodes.nodes), *self._no_members(membership)]

    def _no_members(self, membership: Membership) -> Iterator[PeerView]:
        yield from (self._names.marked(pending_view(entry)) for entry in self._waiting())
        yield from map(invalid_view, membership.nodes.invalid)

    def glances(self) -> Iterator[Glance]:
        """Each member in few values, made one by one; the members are those of now."""
        observations, ready = self._store.observations, self._has_a_way_out
        wall, boot = self._clock.wall(), self._clock.boot()
        for node in self._store.membership.nodes.nodes:
            yield glance(
                node,
                observations.get(node.did),
                wall=wall,
                boot=boot,
                heard=self._heard_at.get(node.did),
                interval=self._interval,
                path_ready=ready,
            )

    @property
    def exchanges(self) -> tuple[int, int]:
        """Polls and joins that are under way, and those that wait for a slot."""
        return (0, 0) if self._courier is None else (self._courier.slots.held, self._courier.slots.waiting)

    @property
    def state_refusals(self) -> Counter[str]:
        """States of peers that were refused, by the words of state.receiving.Reason."""
        return Counter() if self._courier is None else self._courier.refusals

    async def peers_in_turns(self) -> list[PeerView]:
        """`peers`, with turns for the rest of the agent in between: a thousand take 50 ms."""
        membership = self._store.membership
        shown: list[PeerView] = []
        for node in membership.nodes.nodes:
            shown.append(self._view(node))
            if len(shown) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return [*shown, *self._no_members(membership)]

    def peer(self, ref: str) -> PeerView:
        """One peer; raises PeerNotFound, FieldInvalid when the reference is ambiguous."""
        try:
            return self._view(self._find(ref))
        except PeerNotFound:
            members = self._store.membership.nodes.nodes
            return self._names.marked(pending_view(find_peer(ref, self._waiting(), members)))

    def invalid(self) -> list[InvalidView]:
        """The entries of nodes.json and invites.json that are not valid here."""
        return invalid_entries(self._store.membership)

    def _find(self, ref: str) -> Node:
        return find_peer(ref, self._store.membership.nodes.nodes)

    def _waiting(self) -> tuple[PendingJoin, ...]:
        return inviting.waiting(self._store.membership, self._now())

    def _view(self, node: Node) -> PeerView:
        courier = self._courier
        view = show(
            node,
            self._store.observations.get(node.did),
            self._clock,
            heard=self._heard_at.get(node.did),
            interval=self._interval,
            next_poll=None if courier is None else courier.next_poll(node.did),
            path_ready=self._has_a_way_out,
            running=courier is not None,
        )
        day = self._hooks.traffic(node.did)
        if day is not None:
            view = replace(view, bytes_in=day.received, bytes_out=day.sent)
        if courier is not None:
            view = self._with_contact(view, courier, node.did)
        if view.age_s is not None:
            old = view.state_refused is not None or is_old(view.age_s, self._interval)
            view = replace(view, state_old=old)
        return self._names.marked(view)

    @property
    def _has_a_way_out(self) -> bool:
        """Also not while our own Tor takes no connection though it should."""
        cut_off = self._courier is not None and self._courier.cut_off
        return self._hooks.path_ready() and not cut_off

    def _with_contact(self, view: PeerView, courier: Courier, did: Did) -> PeerView:
        since = courier.stream_since(did)
        stood = None if since is None else self._clock.wall() - (self._clock.boot() - since)
        return replace(
            view,
            stream_since=None if stood is None else to_text(round(stood)),
            state_refused=courier.refused(did),
        )

    @property
    def _names(self) -> NameBook:
        if self._name_book.membership is not self._store.membership:
            self._name_book = NameBook(self._store.membership, self._name)
        return self._name_book

    def _last_seen(self, membership: Membership, did: Did) -> int | None:
        node = membership.nodes.find(did)
        seen = self._store.observations.get(did)
        times = (node.last_seen if node else None, seen.last_seen if seen else None)
        return max((at for at in times if at is not None), default=None)
