"""Memberships and what happens to them, for the tests of the rules."""

from __future__ import annotations

from typing import Any

from enigma_fed.federation import accepting
from enigma_fed.federation.decision import Decision
from enigma_fed.federation.store import FederationStore
from enigma_fed.wire.invite import Invite
from enigma_fed.wire.join import JoinParams, TokenlessJoin
from enigma_fed.wire.records import InvitesFile, Membership, NodesFile, TrustLevel
from tests.support.identities import did, onion
from tests.support.members import NOW


def membership(
    *, nodes: Any = (), removed: Any = (), out: Any = (), inc: Any = (), waiting: Any = ()
) -> Membership:
    """A membership of these parts."""
    return Membership(
        NodesFile(nodes=tuple(nodes), removed=tuple(removed)),
        InvitesFile(outgoing=tuple(out), incoming=tuple(inc), pending=tuple(waiting)),
    )


TOKEN = b"\x07" * 16
HASH = Invite(did=did(1), onion=onion(1), token=TOKEN, scope=TrustLevel.OBSERVER).token_hash


async def commit(store: FederationStore, known: Membership) -> None:
    """Store a membership, durable on return."""
    await store.transact(lambda _: Decision(known, None))


def join(number: int) -> JoinParams:
    """A join of this node with the token."""
    return JoinParams(did=did(number), onion=onion(number), token=TOKEN, signature=bytes(64), name="barn")


def tokenless(number: int) -> TokenlessJoin:
    """A join of this node without a token."""
    return TokenlessJoin(did=did(number), onion=onion(number), signature=bytes(64))


def invite_of(number: int, **changes: Any) -> Invite:
    """An invite of this node with the token."""
    values: dict[str, Any] = {
        "did": did(number),
        "onion": onion(number),
        "token": TOKEN,
        "expires_at": NOW + 60,
    }
    return Invite(**{"scope": TrustLevel.OBSERVER, **values, **changes})


def accept(known: Membership, invite: Invite, last_heard: int | None = None, **changes: Any) -> Decision[Any]:
    """Node 9 accepts the invite."""
    values = {"own": did(9), "trust": TrustLevel.OBSERVER, "now": NOW, "last_heard": last_heard}
    return accepting.accept(known, invite, "fed1:x", **{**values, **changes})
