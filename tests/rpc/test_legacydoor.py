"""The narrow door: the old header set reads the state of whoever marked its sender, and does nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.wire.jsonrpc import BodyForm
from tests.support.manualclock import ManualClock
from tests.support.signedcalls import (
    FakeDoorkeeper,
    Receiver,
    call_body,
    fresh_nonce,
    key,
    legacy_fields,
    signed_fields,
)

A, B, C, STRANGER, GONE = key(1), key(2), key(3), key(4), key(5)
POLL = b'{"method":"federation.get-state","params":{}}'
JOIN = b'{"method":"federation.peer-joined","params":{"did":"%s"}}' % str(STRANGER.did).encode()


@pytest.fixture
def node() -> Receiver:
    """C, after its first three minutes; A is marked legacy, B is a member without the mark."""
    doorkeeper = FakeDoorkeeper(C.did, members=[A.did, B.did], removed=[GONE.did])
    doorkeeper.legacy = {A.did}
    receiver = Receiver(C, doorkeeper, ManualClock())
    receiver.clock.advance(limits.CHALLENGE_AFTER_START)
    return receiver


def text(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat()


def polled(node: Receiver, sender: NodeKey = A, seconds: float = 0.0, body: bytes = POLL) -> str:
    return node.play(legacy_fields(sender, text(node.clock.wall() + seconds)), body)


def test_a_marked_member_reads(node: Receiver) -> None:
    assert polled(node) == "passes"
    assert node.passage.did == A.did
    assert node.passage.method is not None
    assert node.passage.method.name == "federation.get-state"


def test_invariant_11_such_a_request_is_neither_heard_nor_taken_for_a_signed_one(node: Receiver) -> None:
    """It could have been sent by anyone who received it: it says nothing about its sender."""
    assert polled(node) == "passes"
    assert node.doorkeeper.log == []
    assert not node.passage.signature_held
    assert node.passage.legacy


@pytest.mark.parametrize("sender", [B, C, STRANGER, GONE], ids=["member", "self", "stranger", "removed"])
def test_invariant_1_the_old_header_set_is_for_marked_members_only(node: Receiver, sender: NodeKey) -> None:
    assert polled(node, sender) == "unsigned"


@pytest.mark.parametrize("method", ["package.install", "test.trusted", "federation.peer-joined", "no.such"])
def test_invariant_2_the_old_header_set_opens_get_state_and_nothing_else(node: Receiver, method: str) -> None:
    assert polled(node, body=call_body(method)) == "unsigned"
    node.doorkeeper.tokenless_left = 5
    assert polled(node, body=call_body(method)) == "unsigned", "an open legacy invite changes nothing"


@pytest.mark.parametrize(
    ("seconds", "answer"), [(-60, "passes"), (60, "passes"), (-61, "stale"), (61, "stale")]
)
def test_invariant_1_the_old_header_set_lives_60_seconds(node: Receiver, seconds: int, answer: str) -> None:
    assert polled(node, seconds=seconds) == answer


def test_invariant_1_a_request_with_the_old_header_set_is_served_once(node: Receiver) -> None:
    """One table for all doors, and its memory outlives the window."""
    fields = legacy_fields(A, text(node.clock.wall() + 60))
    assert node.play(fields, POLL) == "passes"
    for _ in range(121):
        assert node.play(fields, POLL) in ("replayed", "stale")
        node.clock.advance(1)
    assert node.play(fields, POLL) == "stale"


def test_invariant_1_no_old_header_set_passes_while_a_challenge_would_be_asked(node: Receiver) -> None:
    """No challenge fits it, and after a restart the table is empty."""
    fields = legacy_fields(A, text(node.clock.wall()))
    assert node.play(fields, POLL) == "passes"
    node.restart()
    assert node.play(fields, POLL) == "stale"
    assert node.challenge == ""
    node.clock.advance(limits.CHALLENGE_AFTER_START)
    assert polled(node) == "passes"


def test_its_nonces_count_against_the_same_share_as_all_others(node: Receiver) -> None:
    for _ in range(limits.NONCES_PER_KEY):
        body = call_body()
        node.play(signed_fields(A, C.did, body, node.clock.wall()), body)
    assert polled(node) == "busy"


def test_invariant_1_the_old_signature_is_over_the_timestamp_as_it_was_sent(node: Receiver) -> None:
    now = text(node.clock.wall())
    for change in ({"X-Federation-Timestamp": now.replace("T", " ")}, {"X-Federation-DID": str(B.did)}):
        node.doorkeeper.legacy.add(B.did)
        assert node.play(CIMultiDict({**legacy_fields(A, now), **change}), POLL) == "unsigned"


@pytest.mark.parametrize("body", [POLL, b"{", call_body("package.install"), b"[]"])
@pytest.mark.parametrize("seconds", [0, -999])
def test_invariant_10_whom_the_owner_marked_is_told_to_nobody_who_cannot_sign_for_it(
    node: Receiver, body: bytes, seconds: int
) -> None:
    """The same word for a marked member, another and a stranger, whatever else is wrong."""
    forged = {"X-Federation-Sig": "00" * 64}
    for sender in (A, B, STRANGER):
        fields = CIMultiDict({**legacy_fields(sender, text(node.clock.wall() + seconds)), **forged})
        assert node.play(fields, body) == "unsigned"


def test_the_checks_come_in_order(node: Receiver) -> None:
    """Size, form, mark, signature, freshness, body, method, nonce: two neighbours break at once each time."""
    now, old = text(node.clock.wall()), text(node.clock.wall() - 999)
    forged = {"X-Federation-Sig": "00" * 64}
    broken, other, large = b"{", call_body("package.install"), POLL.ljust(limits.STRANGER_REQUEST_BYTES + 1)
    a, b = (lambda t: legacy_fields(A, t)), (lambda t: legacy_fields(B, t))
    used = a(now)
    assert node.play(used, POLL) == "passes"
    twice = CIMultiDict([*a(now).items(), ("X-Federation-DID", str(A.did))])
    assert node.play(twice, large) == "malformed"
    assert node.play(b(now), large) == "too-large"
    assert node.play(b(old), POLL) == "unsigned"
    assert node.play(CIMultiDict({**a(old), **forged}), POLL) == "unsigned"
    assert node.play(a(old), broken) == "stale"
    assert node.play(used, broken) == "parse-error"
    assert node.play(used, other) == "unsigned"
    assert node.play(used, POLL) == "replayed"


def test_only_json_comes_by_it(node: Receiver) -> None:
    body = call_body(form=BodyForm.CBOR)
    assert node.play(legacy_fields(A, text(node.clock.wall())), body, BodyForm.CBOR) == "unsigned"


def test_a_signature_of_ours_goes_before_the_old_fields(node: Receiver) -> None:
    """Whoever sends both is checked by the strict rules."""
    body = call_body()
    good = signed_fields(B, C.did, body, node.clock.wall())
    mixed = CIMultiDict({**good, **legacy_fields(A, text(node.clock.wall()))})
    assert node.play(mixed, body) == "passes"
    assert node.passage.did == B.did
    half = CIMultiDict({**legacy_fields(A, text(node.clock.wall())), "Signature": good["Signature"]})
    assert node.play(half, body) == "unsigned"
    challenged = signed_fields(B, A.did, body, node.clock.wall(), nonce=fresh_nonce())
    assert node.play(CIMultiDict({**challenged, **legacy_fields(A, text(1))}), body) == "wrong-audience"


def test_invariant_3_a_join_without_a_token_comes_in_only_while_the_owner_waits_for_one(
    node: Receiver,
) -> None:
    unsigned = CIMultiDict({"Content-Type": "application/json"})
    assert node.play(unsigned, JOIN) == "unsigned"
    assert node.play(unsigned, b"{") == "unsigned", "nothing is even read"
    node.doorkeeper.tokenless_left = 1
    assert node.play(unsigned, JOIN) == "passes"
    assert not node.passage.signature_held
    assert not node.passage.legacy, "it is admitted to nothing"
    assert node.passage.did == STRANGER.did
    assert node.play(unsigned, JOIN) == "busy"
    assert node.play(unsigned, JOIN.ljust(limits.STRANGER_REQUEST_BYTES + 1)) == "too-large"
    assert node.play(unsigned, b"[" + JOIN + b"]") == "invalid-request"
    assert node.play(unsigned, POLL) == "unsigned"
    assert node.play(unsigned, call_body("package.install")) == "unsigned"
    assert (
        node.play(unsigned, b'{"method":"federation.peer-joined","params":{"wrong":1}}') == "invalid-params"
    )
    assert node.doorkeeper.log == []
