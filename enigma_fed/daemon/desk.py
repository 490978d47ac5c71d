"""What the control socket and offline commands do, as one asynchronous object over the federation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from enigma_fed.base.errors import FieldInvalid
from enigma_fed.base.ids import Did
from enigma_fed.daemon import history
from enigma_fed.daemon.calls import Call, Params
from enigma_fed.daemon.degraded import recovery_views
from enigma_fed.daemon.history import HistorySource
from enigma_fed.federation.service import Federation
from enigma_fed.wire.historyview import HistoryView
from enigma_fed.wire.records import TrustLevel
from enigma_fed.wire.views import (
    InvalidView,
    InviteView,
    NodeView,
    PeerView,
    PingView,
    RecoveryView,
    StatusView,
)
from enigma_fed.wire.windows import parse_windows


class Desk:
    """Serves every call of daemon/calls.py; its methods bear the calls' names."""

    def __init__(
        self,
        federation: Federation,
        node: NodeView,
        status: Callable[[], Awaitable[StatusView]],
        kept: HistorySource,
    ) -> None:
        self._federation = federation
        self._node = node
        self._status = status
        self._history = kept

    async def serve(self, call: Call[Any], params: Params) -> object:
        """Run one call with its typed params; raises EnigmaError."""
        method: Callable[..., Awaitable[object]] = getattr(self, call.name)
        return await method(**msgspec.structs.asdict(params))

    async def identity(self) -> NodeView:
        """This node."""
        return self._node

    async def status(self) -> StatusView:
        """The whole status."""
        return await self._status()

    async def invite_create(self, scope: str, ttl_s: int, for_did: str | None, legacy: bool) -> InviteView:
        """A new invite; raises DidInvalid."""
        joiner = None if for_did is None else Did.parse(for_did)
        level = _level(scope, "scope")
        return await self._federation.create_invite(level, ttl_s, for_did=joiner, legacy=legacy)

    async def invite_accept(self, code: str, trust: str, allow_unsigned: bool) -> InviteView:
        """Accept a code."""
        return await self._federation.accept_invite(code, _level(trust, "trust"), allow_unsigned)

    async def invite_list(self) -> list[InviteView]:
        """Every invite."""
        return self._federation.invites()

    async def invite_revoke(self, invite_id: str) -> InviteView:
        """Make an open invite worthless."""
        return await self._federation.revoke(invite_id)

    async def peer_list(self) -> list[PeerView]:
        """Every peer."""
        return await self._federation.peers_in_turns()

    async def peer_show(self, ref: str) -> PeerView:
        """One peer."""
        return self._federation.peer(ref)

    async def peer_approve(self, ref: str) -> PeerView:
        """Let a joiner in that waits."""
        return await self._federation.approve(ref)

    async def peer_trust(self, ref: str, level: str, legacy: bool | None) -> PeerView:
        """Set a peer's trust, and whether it may ask with the old header set."""
        return await self._federation.set_trust(ref, _level(level, "trust level"), legacy)

    async def peer_rename(self, ref: str, name: str | None) -> PeerView:
        """Set our own name for a peer."""
        return await self._federation.rename(ref, name)

    async def peer_remove(self, ref: str) -> PeerView:
        """Remove a peer."""
        return await self._federation.remove(ref)

    async def peer_pause(self, ref: str, paused: bool) -> PeerView:
        """Stop or resume polling a peer."""
        return await self._federation.pause(ref, paused)

    async def peer_offline(self, ref: str, windows: list[str]) -> PeerView:
        """Say when a peer is expected to be off; raises FieldInvalid."""
        return await self._federation.expect_offline(ref, parse_windows(windows))

    async def peer_sync(self, ref: str | None) -> list[PeerView]:
        """Poll now."""
        return await self._federation.sync(ref)

    async def peer_ping(self, ref: str) -> PingView:
        """One timed request."""
        return await self._federation.ping(ref)

    async def history(self, ref: str | None, resolution_s: int, since_s: int) -> HistoryView:
        """The gauges of a peer or, without a `ref`, of this node; raises PeerNotFound, FieldInvalid."""
        if ref is not None:
            peer = self._federation.peer(ref)
            return await history.of_peer(self._history, peer, resolution_s, since_s)
        status = await self._status()
        return await history.of_this_node(self._history, self._node, status, resolution_s, since_s)

    async def recoveries(self) -> list[RecoveryView]:
        """What was recovered."""
        return recovery_views(self._federation.store)

    async def accept_recovered(self) -> list[RecoveryView]:
        """Take what was recovered for right."""
        views = recovery_views(self._federation.store)
        await self._federation.accept_recovered()
        return views

    async def invalid(self) -> list[InvalidView]:
        """The entries that are not valid here."""
        return self._federation.invalid()

    async def drop_invalid(self) -> list[InvalidView]:
        """Forget the entries that are not valid here."""
        return await self._federation.drop_invalid()


def _level(text: str, field: str) -> TrustLevel:
    try:
        return TrustLevel(text)
    except ValueError:
        raise FieldInvalid(f"{field} must be one of: {', '.join(TrustLevel)}") from None
