"""The calls of the control socket: one table that the agent and the commands share."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

import msgspec

from enigma_fed.wire.historyview import HistoryView
from enigma_fed.wire.views import (
    InvalidView,
    InviteView,
    NodeView,
    PeerView,
    PingView,
    RecoveryView,
    StatusView,
)

R = TypeVar("R")


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every call's parameters."""


class NoParams(Params, frozen=True):
    """A call without parameters."""


class InviteCreate(Params, frozen=True):
    """Parameters of `invite_create`; `ttl_s` in seconds."""

    scope: str
    ttl_s: int
    for_did: str | None = None
    legacy: bool = False


class InviteAccept(Params, frozen=True):
    """Parameters of `invite_accept`."""

    code: str
    trust: str
    allow_unsigned: bool


class InviteRef(Params, frozen=True):
    """Names an invite."""

    invite_id: str


class PeerRef(Params, frozen=True):
    """Names a peer."""

    ref: str


class PeerTrust(Params, frozen=True):
    """Parameters of `peer_trust`."""

    ref: str
    level: str
    legacy: bool | None = None
    """Whether it may ask with the old header set; None leaves that as it is."""


class PeerRename(Params, frozen=True):
    """Parameters of `peer_rename`."""

    ref: str
    name: str | None


class PeerPause(Params, frozen=True):
    """Parameters of `peer_pause`."""

    ref: str
    paused: bool


class PeerOffline(Params, frozen=True):
    """Parameters of `peer_offline`; each window as `23:00-07:00`, none take those of before away."""

    ref: str
    windows: list[str]


class HistoryOf(Params, frozen=True):
    """Parameters of `history`; without a `ref` that of this node."""

    ref: str | None
    resolution_s: int
    since_s: int


class PeerSync(Params, frozen=True):
    """Parameters of `peer_sync`; None means every peer."""

    ref: str | None


class Call(msgspec.Struct, Generic[R], frozen=True):
    """One call: its name is the method of `Operations` that it carries."""

    name: str
    params: type[Params]
    result: Any
    """Type of the result, for decoding."""
    reads: bool = False
    """Whether it only reads, from memory: its answer takes no time."""

    def read(self, value: object) -> R:
        """The typed result; raises msgspec.ValidationError."""
        result: R = msgspec.convert(value, type=self.result)
        return result


IDENTITY: Final = Call[NodeView]("identity", NoParams, NodeView, reads=True)
STATUS: Final = Call[StatusView]("status", NoParams, StatusView, reads=True)
INVITE_CREATE: Final = Call[InviteView]("invite_create", InviteCreate, InviteView)
INVITE_ACCEPT: Final = Call[InviteView]("invite_accept", InviteAccept, InviteView)
INVITE_LIST: Final = Call[list[InviteView]]("invite_list", NoParams, list[InviteView], reads=True)
INVITE_REVOKE: Final = Call[InviteView]("invite_revoke", InviteRef, InviteView)
PEER_LIST: Final = Call[list[PeerView]]("peer_list", NoParams, list[PeerView], reads=True)
PEER_SHOW: Final = Call[PeerView]("peer_show", PeerRef, PeerView, reads=True)
PEER_APPROVE: Final = Call[PeerView]("peer_approve", PeerRef, PeerView)
PEER_TRUST: Final = Call[PeerView]("peer_trust", PeerTrust, PeerView)
PEER_RENAME: Final = Call[PeerView]("peer_rename", PeerRename, PeerView)
PEER_REMOVE: Final = Call[PeerView]("peer_remove", PeerRef, PeerView)
PEER_PAUSE: Final = Call[PeerView]("peer_pause", PeerPause, PeerView)
PEER_OFFLINE: Final = Call[PeerView]("peer_offline", PeerOffline, PeerView)
PEER_SYNC: Final = Call[list[PeerView]]("peer_sync", PeerSync, list[PeerView])
PEER_PING: Final = Call[PingView]("peer_ping", PeerRef, PingView)
HISTORY: Final = Call[HistoryView]("history", HistoryOf, HistoryView, reads=True)
RECOVERIES: Final = Call[list[RecoveryView]]("recoveries", NoParams, list[RecoveryView], reads=True)
ACCEPT_RECOVERED: Final = Call[list[RecoveryView]]("accept_recovered", NoParams, list[RecoveryView])
INVALID: Final = Call[list[InvalidView]]("invalid", NoParams, list[InvalidView], reads=True)
DROP_INVALID: Final = Call[list[InvalidView]]("drop_invalid", NoParams, list[InvalidView])

CALLS: Final[Mapping[str, Call[Any]]] = MappingProxyType(
    {
        call.name: call
        for call in (
            *(IDENTITY, STATUS, INVITE_CREATE, INVITE_ACCEPT, INVITE_LIST, INVITE_REVOKE),
            *(PEER_LIST, PEER_SHOW, PEER_APPROVE, PEER_TRUST, PEER_RENAME, PEER_REMOVE, PEER_PAUSE),
            *(
                PEER_OFFLINE,
                PEER_SYNC,
                PEER_PING,
                HISTORY,
                RECOVERIES,
                ACCEPT_RECOVERED,
                INVALID,
                DROP_INVALID,
            ),
        )
    }
)
