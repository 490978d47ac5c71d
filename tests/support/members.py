"""Members, invites and hypothesis strategies for them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.wire.records import (
    Ending,
    IncomingInvite,
    InvitesFile,
    Node,
    NodesFile,
    Observation,
    OutgoingInvite,
    PendingJoin,
    Role,
    Stage,
    Tombstone,
    TrustLevel,
    Via,
)
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState
from enigma_fed.wire.windows import Window
from tests.support.identities import did, onion

NOW = 1_800_000_000


def member(number: int, **changes: Any) -> Node:
    """A confirmed observer that joined by our invite."""
    values: dict[str, Any] = {
        "did": did(number),
        "onion": onion(number),
        "trust_level": TrustLevel.OBSERVER,
        "added_at": NOW,
        "stage": Stage.CONFIRMED,
        "stage_at": NOW,
        "joined_as": Role.INVITER,
        "joined_with": (bytes([number]) * 32,),
    }
    return Node(**{**values, **changes})


def outgoing(number: int, **changes: Any) -> OutgoingInvite:
    """An open invite of this node (9)."""
    values: dict[str, Any] = {
        "code": f"fed1:{number}",
        "did": did(9),
        "onion": onion(9),
        "token_hash": bytes([number]) * 32,
        "created_at": NOW,
        "expires_at": NOW + 86400,
        "scope": TrustLevel.OBSERVER,
        "stage": Stage.CREATED,
        "stage_at": NOW,
    }
    return OutgoingInvite(**{**values, **changes})


def incoming(number: int, **changes: Any) -> IncomingInvite:
    """An invite of node `number`, accepted here and not delivered yet."""
    values: dict[str, Any] = {
        "code": f"fed1:{number}",
        "did": did(number),
        "onion": onion(number),
        "name": None,
        "token_hash": bytes([number]) * 32,
        "created_at": NOW,
        "expires_at": NOW + 86400,
        "trust_level": TrustLevel.OBSERVER,
        "stage": Stage.ACCEPTED_HERE,
        "stage_at": NOW,
    }
    return IncomingInvite(**{**values, **changes})


def pending(number: int, **changes: Any) -> PendingJoin:
    """A late join of node `number`."""
    values: dict[str, Any] = {
        "did": did(number),
        "onion": onion(number),
        "name": None,
        "token_hash": bytes([number]) * 32,
        "scope": TrustLevel.OBSERVER,
        "received_at": NOW,
        "expires_at": NOW + 30 * 86400,
    }
    return PendingJoin(**{**values, **changes})


def waiting(number: int, **changes: Any) -> PendingJoin:
    """A join of node `number` without a token."""
    return pending(number, **{"token_hash": None, "late": False, "expires_at": NOW + 86400, **changes})


def tombstone(number: int, **changes: Any) -> Tombstone:
    """Node `number`, removed."""
    values = {"did": did(number), "removed_at": NOW, "joined_with": (bytes([number]) * 32,)}
    return Tombstone(**{**values, **changes})


def _window_of(start: int, length: int) -> Window:
    return Window(start, (start + length) % (24 * 60))


_times = st.integers(0, 253402300799)
_hashes = st.binary(min_size=32, max_size=32)
_names = st.none() | st.sampled_from(["attic", "Gro\u00dfmutters Keller", "x" * 64])
_errors = st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
_minutes = st.integers(0, 24 * 60 - 1)
_windows = st.builds(Window, _minutes, _minutes).filter(lambda window: window.start != window.end)
_short_windows = st.builds(_window_of, _minutes, st.integers(1, limits.AWAY_MINUTES // 4))
_snapshots = st.builds(
    Snapshot,
    node_name=_names,
    cpu_tenths=st.none() | st.integers(0, 1000),
    mem_used_kib=st.none() | st.integers(0, 2**40),
    uptime_secs=st.none() | st.integers(0, 2**40),
    tor_active=st.none() | st.booleans(),
)


def nodes() -> st.SearchStrategy[Node]:
    """Any member of 1 to 20."""
    return st.integers(1, 20).flatmap(
        lambda number: st.builds(
            Node,
            did=st.just(did(number)),
            onion=st.just(onion(number)),
            trust_level=st.sampled_from(TrustLevel),
            added_at=_times,
            stage=st.sampled_from(Stage),
            stage_at=_times,
            name=_names,
            alias=_names,
            joined_as=st.none() | st.sampled_from(Role),
            joined_with=st.lists(_hashes, max_size=2).map(tuple),
            granted_trust=st.none() | st.sampled_from(TrustLevel),
            last_seen=st.none() | _times,
            last_state=st.none() | _snapshots,
            last_error=_errors,
            last_error_at=st.none() | _times,
            paused=st.booleans(),
            they_forgot_us=st.booleans(),
            legacy=st.booleans(),
            offline_windows=st.lists(_windows, max_size=limits.OFFLINE_WINDOWS, unique=True).map(tuple),
        )
    )


def nodes_files() -> st.SearchStrategy[NodesFile]:
    """Any nodes.json."""
    return st.builds(
        NodesFile,
        nodes=st.lists(nodes(), max_size=4, unique_by=lambda node: node.did.public_key).map(tuple),
        removed=st.lists(
            st.builds(
                Tombstone,
                did=st.integers(30, 40).map(did),
                removed_at=_times,
                joined_with=st.lists(_hashes, max_size=2).map(tuple),
            ),
            max_size=3,
        ).map(tuple),
        invalid=st.lists(st.just('{"did":"x"}'), max_size=1).map(tuple),
    )


def invites_files() -> st.SearchStrategy[InvitesFile]:
    """Any invites.json."""
    stages = st.sampled_from(Stage)
    return st.builds(
        InvitesFile,
        outgoing=st.lists(
            st.builds(
                outgoing,
                st.integers(0, 99),
                stage=stages,
                code=st.none() | st.just("fed1:x"),
                used_by=st.none() | st.just(did(3)),
                for_did=st.none() | st.just(did(4)),
                legacy=st.booleans(),
                last_error=_errors,
                last_error_at=st.none() | _times,
            ),
            max_size=3,
        ).map(tuple),
        incoming=st.lists(
            st.builds(
                incoming,
                st.integers(1, 20),
                stage=stages,
                name=_names,
                attempts=st.integers(0, 99),
                ended_by=st.none() | st.sampled_from(Ending),
            ),
            max_size=3,
        ).map(tuple),
        pending=st.lists(
            st.builds(
                pending,
                st.integers(1, 20),
                name=_names,
                token_hash=st.none() | _hashes,
                expires_at=_times,
                late=st.booleans(),
            ),
            max_size=3,
        ).map(tuple),
    )


def observations() -> st.SearchStrategy[Observation]:
    """Anything that polling could have learned."""
    states = st.builds(
        FullState,
        epoch=st.binary(min_size=8, max_size=8),
        started=st.integers(0, 2**53 - 1),
        seq=st.integers(0, 2**53 - 1),
        ts=st.integers(0, 2**32 - 1),
        snapshot=_snapshots,
        signature=st.binary(min_size=64, max_size=64),
    )
    return st.builds(
        Observation,
        did=st.integers(1, 20).map(did),
        last_seen=st.none() | _times,
        state=st.none() | states,
        latency_ms=st.none() | st.floats(0, 1e6),
        skew_s=st.none() | st.integers(-(10**6), 10**6),
        failures=st.integers(0, 1000),
        last_error=_errors,
        last_error_at=st.none() | _times,
        next_poll_at=st.none() | _times,
        via=st.none() | st.sampled_from(Via),
        stream_failures=st.integers(0, 1000),
        away=st.lists(_short_windows, max_size=4, unique=True).map(tuple),
    )
