from __future__ import annotations

import msgspec
from hypothesis import given

from enigma_fed.wire import invite
from enigma_fed.wire.records import InvitesFile, Membership, Node, NodesFile, Observation, Stage
from enigma_fed.wire.snapshot import App, Snapshot
from enigma_fed.wire.state import FullState
from enigma_fed.wire.viewbuild import (
    invalid_entries,
    invalid_invite_view,
    invalid_view,
    invite_preview,
    invite_view,
    peer_view,
    pending_view,
    snapshot_view,
)
from tests.support import invitevectors, members
from tests.support.identities import did
from tests.support.members import NOW, incoming, member, outgoing, pending, waiting

SNAPSHOT = Snapshot(
    node_name="attic",
    apps=(App(id="lnd", status="running"),),
    cpu_tenths=452,
    mem_used_kib=2,
    tor_active=True,
)


def test_a_snapshot_bears_the_seeds_names_and_units() -> None:
    view = msgspec.to_builtins(snapshot_view(SNAPSHOT, NOW))
    assert view["timestamp"] == "2027-01-15T08:00:00Z"
    assert view["cpu_usage_percent"] == 45.2
    assert (view["mem_used_bytes"], view["mem_total_bytes"]) == (2048, None)
    assert view["apps"] == [{"id": "lnd", "status": "running", "version": None}]


def test_a_time_beyond_the_calendar_is_its_end() -> None:
    assert snapshot_view(SNAPSHOT, 2**53).timestamp == "9999-12-31T23:59:59Z"


def test_a_peer_shows_the_newest_that_is_known() -> None:
    state = FullState(epoch=bytes(8), started=NOW, seq=1, ts=60, snapshot=SNAPSHOT, signature=bytes(64))
    seen = Observation(
        did=did(1), last_seen=NOW + 70, state=state, latency_ms=12.5, skew_s=-5, last_error="x"
    )
    view = peer_view(member(1, last_seen=NOW, last_error="older"), seen, "up", NOW + 75.0)
    assert (view.last_seen, view.last_error, view.liveness) == ("2027-01-15T08:01:10Z", "x", "up")
    assert (view.age_s, view.latency_ms) == (10.0, 12.5)
    assert view.last_state is not None
    assert view.last_state.timestamp == "2027-01-15T08:01:00Z"


def test_a_state_from_the_future_is_as_old_as_the_last_word_of_its_peer() -> None:
    """Else the state of a peer that is gone would be shown as new for ever."""
    state = FullState(epoch=bytes(8), started=2**53 - 1, seq=1, ts=0, snapshot=SNAPSHOT, signature=bytes(64))
    seen = Observation(did=did(1), last_seen=NOW, state=state, skew_s=0)
    assert peer_view(member(1), seen, "up", NOW + 400.0).age_s == 400.0
    assert peer_view(member(1), seen, "up", NOW - 5.0).age_s == 0.0


def test_a_peer_that_ended_it_is_shown_with_why_and_not_with_its_answer_to_a_poll() -> None:
    seen = Observation(did=did(1), last_seen=NOW, last_error="The peer refused", last_error_at=NOW + 9)
    ends = (member(1, stage=Stage.REFUSED), member(1, they_forgot_us=True))
    for over in ends:
        told = msgspec.structs.replace(over, last_error="ask for a new invite", last_error_at=NOW)
        view = peer_view(told, seen, "up", NOW + 10.0)
        assert (view.last_error, view.last_error_at) == ("ask for a new invite", "2027-01-15T08:00:00Z")
        assert peer_view(over, seen, "up", NOW + 10.0).last_error == "The peer refused"


def test_a_peer_that_polling_knows_nothing_of() -> None:
    view = peer_view(member(1, last_seen=NOW, last_state=SNAPSHOT), None, "unknown", NOW + 5.0)
    assert (view.age_s, view.latency_ms, view.last_error) == (5.0, None, None)


@given(members.nodes())
def test_every_peer_can_be_shown_as_json(node: Node) -> None:
    view = peer_view(node, None, "unknown", NOW)
    assert msgspec.json.decode(msgspec.json.encode(view), type=type(view)) == view


def test_invites_either_way() -> None:
    made = invite_view(outgoing(1), NOW)
    assert (made.direction, made.code, made.stage, made.scope) == (
        "outgoing",
        "fed1:1",
        "created",
        "observer",
    )
    over = invite_view(outgoing(1), NOW + 86400)
    assert (over.code, over.stage, over.stage_at) == (None, "expired", over.expires_at)
    used = invite_view(outgoing(1, stage=Stage.USED, code=None, used_by=did(2)), NOW + 86400)
    assert (used.accepted, used.used_by, used.stage) == (True, str(did(2)), "used")
    taken = invite_view(incoming(1), NOW)
    assert (taken.direction, taken.accepted, taken.trust_level) == ("incoming", True, "observer")
    waits = invite_view(pending(1), NOW)
    assert (waits.direction, waits.stage, waits.id) == ("pending", "awaiting-approval", "01010101")
    tokenless = invite_view(waiting(1), NOW)
    assert (tokenless.id, tokenless.late, tokenless.expires_at) == ("", False, over.expires_at)
    bound = msgspec.to_builtins(invite_view(outgoing(1, for_did=did(4), legacy=True), NOW))
    assert (bound["for"], bound["legacy"]) == (str(did(4)), True)
    assert (waits.created_at, waits.expires_at) == ("2027-01-15T08:00:00Z", "2027-02-14T08:00:00Z")


def test_who_waits_and_what_is_not_valid_are_shown_without_rights() -> None:
    assert (pending_view(pending(1)).trust_level, pending_view(pending(1)).stage) == (
        "untrusted",
        "awaiting-approval",
    )
    assert invalid_view('{"did": 1}').invalid == '{"did": 1}'
    assert invalid_invite_view('{"did": 1}').invalid == '{"did": 1}'
    files = Membership(NodesFile(invalid=("{}",)), InvitesFile(invalid=("[]",)))
    assert [(entry.file, entry.text) for entry in invalid_entries(files)] == [
        ("nodes.json", "{}"),
        ("invites.json", "[]"),
    ]


def test_a_preview_shows_no_token() -> None:
    said = invite.decode(invitevectors.signed())
    view = invite_preview(said, signed=True, now=invitevectors.EXP)
    assert (view.did, view.name, view.expired, view.signed) == (str(did(1)), "attic", True, True)
    assert not invite_preview(said, signed=True, now=invitevectors.EXP - 1).expired
    assert invitevectors.TOKEN.hex() not in repr(view)
