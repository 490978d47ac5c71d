"""Members: what confirms them, what they may do, removal, their states."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    Conflict,
    PeerNotFound,
    WireError,
)
from enigma_fed.base.rpc_errors import NotAllowed
from enigma_fed.federation import accepting, rules
from enigma_fed.federation.repair import repair
from enigma_fed.identity.signing import verify
from enigma_fed.wire.records import (
    Ending,
    Observation,
    Stage,
    TrustLevel,
)
from enigma_fed.wire.state import FullState, Snapshot, Unchanged, state_signing_input
from tests.support.identities import did, key
from tests.support.members import NOW, incoming, member, outgoing, pending, tombstone
from tests.support.memberships import HASH, membership


@pytest.mark.parametrize("join", [False, True])
def test_what_confirms_a_join(join: bool) -> None:
    assert rules.is_confirmed_by(member(1, stage=Stage.USED), join=join) is not join
    assert rules.is_confirmed_by(member(1, stage=Stage.ANNOUNCED), join=join)
    assert not rules.is_confirmed_by(member(1), join=join)


def test_confirmation_reaches_the_node_and_its_invites() -> None:
    used = outgoing(1, stage=Stage.USED, used_by=did(1), code=None)
    known = membership(nodes=[member(1, stage=Stage.USED)], out=[used], inc=[incoming(1)])
    sure = rules.confirm(known, did(1), NOW + 5).membership
    assert sure.nodes.nodes[0].stage is sure.invites.outgoing[0].stage is Stage.CONFIRMED
    assert (sure.invites.incoming[0].stage, sure.invites.incoming[0].code) == (Stage.CONFIRMED_BOTH, None)
    assert rules.confirm(sure, did(1), NOW + 6).membership is sure
    assert rules.confirm(sure, did(2), NOW + 6).membership is sure
    named = rules.confirm(sure, did(1), NOW + 6, name="attic").membership
    assert named.nodes.nodes[0].name == "attic"


@pytest.mark.parametrize(
    ("level", "needed", "allowed"),
    [
        (TrustLevel.UNTRUSTED, None, False),
        (TrustLevel.UNTRUSTED, TrustLevel.OBSERVER, False),
        (TrustLevel.OBSERVER, None, True),
        (TrustLevel.OBSERVER, TrustLevel.OBSERVER, True),
        (TrustLevel.OBSERVER, TrustLevel.TRUSTED, False),
        (TrustLevel.TRUSTED, TrustLevel.TRUSTED, True),
    ],
)
def test_rights(level: TrustLevel, needed: TrustLevel | None, allowed: bool) -> None:
    if allowed:
        rules.check_rights(member(1, trust_level=level), needed)
    else:
        with pytest.raises(NotAllowed):
            rules.check_rights(member(1, trust_level=level), needed)


def test_invariant_6_a_tombstone_holds_every_token_and_ends_what_is_under_way() -> None:
    known = membership(
        nodes=[member(1), member(2)],
        out=[outgoing(5, created_at=NOW + 50)],
        inc=[incoming(1, token_hash=HASH)],
        waiting=[pending(1, token_hash=bytes(32))],
    )
    gone = rules.remove(known, did(1), NOW).membership
    assert [node.did for node in gone.nodes.nodes] == [did(2)]
    (grave,) = gone.nodes.removed
    assert set(grave.joined_with) == {member(1).joined_with[0], HASH, bytes(32)}
    assert grave.removed_at == NOW + 50
    assert not accepting.is_open(gone.invites.incoming[0])
    assert gone.invites.incoming[0].ended_by is Ending.REMOVAL
    assert gone.invites.pending == ()
    assert repair(gone) is gone


def test_tombstones_are_bounded_oldest_first() -> None:
    graves = [tombstone(1, joined_with=())] * limits.TOMBSTONES
    gone = rules.remove(membership(nodes=[member(2)], removed=graves), did(2), NOW).membership
    assert len(gone.nodes.removed) == limits.TOMBSTONES
    assert gone.nodes.removed[-1].did == did(2)


def test_names_of_ours_are_unique() -> None:
    known = membership(nodes=[member(1, name="attic"), member(2, alias="Gran")])
    for taken, who in (("attic", 2), ("Gran", 1)):
        with pytest.raises(Conflict):
            rules.rename(known, did(who), taken)
    assert rules.rename(known, did(1), "attic").result.alias == "attic"
    assert rules.rename(known, did(2), None).result.alias is None
    with pytest.raises(PeerNotFound):
        rules.rename(known, did(3), "x")


def state(seq: int = 5, epoch: int = 1, number: int = 1, **changes: Any) -> FullState:
    values: dict[str, Any] = {
        "started": NOW,
        "ts": seq,
        "snapshot": Snapshot(node_name="attic"),
        "signature": b"",
    }
    made = FullState(epoch=bytes([epoch]) * 8, seq=seq, **{**values, **changes})
    return msgspec.structs.replace(
        made, signature=key(number).sign(state_signing_input(did(1).public_key, made))
    )


def test_states_that_are_stored() -> None:
    first = rules.newer_state(None, state(), did(1), verify)
    assert first == state()
    assert rules.newer_state(first, state(6), did(1), verify) == state(6)
    assert rules.newer_state(first, state(), did(1), verify) is first
    assert rules.newer_state(first, Unchanged(), did(1), verify) is first
    assert rules.newer_state(first, state(1, epoch=2), did(1), verify) == state(1, epoch=2)


@pytest.mark.parametrize(
    "answer",
    [
        state(4),
        state(6, started=NOW + 1),
        state(5, snapshot=Snapshot(node_name="other")),
        state(6, number=2),
        msgspec.structs.replace(state(6), seq=7),
        msgspec.structs.replace(state(6), snapshot=Snapshot()),
        msgspec.structs.replace(state(6, epoch=2), epoch=bytes(8)),
    ],
)
def test_invariant_11_a_state_that_breaks_the_rules_is_not_stored(answer: FullState) -> None:
    with pytest.raises(WireError):
        rules.newer_state(state(), answer, did(1), verify)


def test_folding_what_polling_learned() -> None:
    known = membership(nodes=[member(1), member(2)])
    seen = {did(1): Observation(did=did(1), last_seen=NOW + 9, state=state())}
    folded = rules.fold(known, seen)
    assert (folded.nodes.nodes[0].last_seen, folded.nodes.nodes[0].last_state) == (NOW + 9, state().snapshot)
    assert folded.nodes.nodes[1] is known.nodes.nodes[1]
    assert rules.fold(folded, seen) is folded
