"""The log tells each thing that happened once, without codes or whole addresses."""

from __future__ import annotations

import msgspec

from enigma_fed.federation import accepting, inviting, rules
from enigma_fed.federation.journal import changes
from enigma_fed.wire.records import Membership, Stage, TrustLevel
from tests.support.identities import did
from tests.support.members import NOW, member, outgoing
from tests.support.memberships import HASH, accept, invite_of, membership

PEER = f"attic ({did(1).short})"


def told(before: Membership, after: Membership) -> list[str]:
    return list(changes(before, after))


def test_the_life_of_a_peer() -> None:
    none = membership()
    joined = membership(nodes=[member(1, name="attic", stage=Stage.USED)])
    assert told(none, joined) == [f"{PEER} joined with an invite of this node, as observer"]
    confirmed = rules.confirm(joined, did(1), NOW).membership
    assert told(joined, confirmed) == [f"{PEER} is confirmed on both sides"]
    trusted = rules.set_trust(confirmed, did(1), TrustLevel.TRUSTED).membership
    assert told(confirmed, trusted) == [f"{PEER} is trusted here now, observer before"]
    forgot = rules.poll_refused(trusted, trusted.nodes.nodes[0], "unknown-peer", NOW).membership
    assert told(trusted, forgot) == [f"{PEER} no longer knows this node"]
    gone = rules.remove(forgot, did(1), NOW).membership
    assert told(forgot, gone) == [f"{PEER} was removed"]


def test_the_life_of_an_accepted_invite() -> None:
    none = membership()
    accepted = accept(none, invite_of(1, name="attic")).membership
    assert told(none, accepted) == [f"the invite of {PEER} was accepted here"]
    tried = accepting.tried(accepted, HASH, "it is offline", NOW).membership
    assert told(accepted, tried) == [f"the join to {PEER}: it is offline"]
    again = accepting.tried(tried, HASH, "it is offline", NOW + 60).membership
    assert told(tried, again) == [], "the same reason is told once"
    announced = accepting.announced(again, HASH, TrustLevel.OBSERVER, NOW + 61).membership
    assert told(again, announced) == [f"{PEER} has let this node in"]


def test_the_life_of_an_invite_of_ours() -> None:
    none, made = membership(), membership(out=[outgoing(1)])
    (line,) = told(none, made)
    assert line == f"invite {outgoing(1).id} was made, for observer"
    revoked = inviting.revoke(made, outgoing(1).id, NOW).membership
    assert told(made, revoked) == [f"invite {outgoing(1).id} is revoked"]


def test_nothing_is_told_of_what_only_changes_its_form() -> None:
    known = membership(nodes=[member(1, name="attic")], out=[outgoing(2)])
    renamed = rules.rename(known, did(1), "Gran").membership
    assert told(known, known) == told(known, renamed) == []
    seen = msgspec.structs.replace(member(1, name="attic"), last_seen=NOW)
    assert told(known, membership(nodes=[seen], out=[outgoing(2)])) == []


def test_entries_that_are_dropped_are_counted() -> None:
    clean = membership()
    bad = msgspec.structs.replace(clean, nodes=msgspec.structs.replace(clean.nodes, invalid=("{}",)))
    assert told(bad, rules.drop_invalid(bad)) == [
        "entries that are not valid here were dropped from the files: 1"
    ]
    assert told(clean, bad) == []
