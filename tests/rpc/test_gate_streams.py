"""The order of checks of a stream's request (PROTOCOL section 3), and invariants 1 and 2 for it."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.rpc.methods import Standing
from enigma_fed.wire import contentdigest
from tests.support.manualclock import ManualClock
from tests.support.signedcalls import FakeDoorkeeper, Receiver, call_body, fresh_nonce, key, signed_fields
from tests.support.streamcalls import play_stream, stream_fields

A, B, C, STRANGER, GONE = key(1), key(2), key(3), key(4), key(5)


@pytest.fixture
def node() -> Receiver:
    doorkeeper = FakeDoorkeeper(C.did, members=[A.did, B.did], removed=[GONE.did])
    made = Receiver(C, doorkeeper, ManualClock())
    made.clock.advance(limits.CHALLENGE_AFTER_START)
    return made


def test_a_members_request_passes_and_is_heard(node: Receiver) -> None:
    assert play_stream(node, stream_fields(A, C.did, node.clock.wall())) == "passes"
    assert node.passage.standing is Standing.MEMBER
    assert node.doorkeeper.log == ["heard"]


@pytest.mark.parametrize(
    ("faults", "answer"),
    [
        (("form", "audience", "time", "signature"), "malformed"),
        (("audience", "time", "signature"), "wrong-audience"),
        (("time", "signature"), "stale"),
        (("signature",), "bad-signature"),
        ((), "replayed"),
    ],
)
def test_the_checks_come_in_order(node: Receiver, faults: tuple[str, ...], answer: str) -> None:
    """With several faults, and a used nonce each time, the first in the order is named."""
    nonce = fresh_nonce()
    assert play_stream(node, stream_fields(A, C.did, node.clock.wall(), nonce=nonce)) == "passes"
    receiver = B.did if "audience" in faults else C.did
    created = node.clock.wall() - (3600 if "time" in faults else 0)
    fields = stream_fields(A, receiver, created, nonce=nonce)
    if "signature" in faults:
        fields["Signature"] = stream_fields(B, C.did, 1)["Signature"]
    if "form" in faults:
        fields.add("Signature", fields["Signature"])
    assert play_stream(node, fields) == answer


@pytest.mark.parametrize(("sender", "answer"), [(STRANGER, "unknown-peer"), (GONE, "removed")])
def test_whoever_is_no_member_is_told_so_and_no_nonce_is_kept(
    node: Receiver, sender: object, answer: str
) -> None:
    fields = stream_fields(STRANGER if sender is STRANGER else GONE, C.did, node.clock.wall())
    assert [play_stream(node, fields) for _ in range(3)] == [answer] * 3
    assert len(node.gate._nonces) == 0
    assert node.passage.signature_held
    assert node.passage.past_nonce


def test_the_node_itself_gets_as_far_as_the_trust_step(node: Receiver) -> None:
    assert play_stream(node, stream_fields(C, C.did, node.clock.wall())) == "passes"
    assert node.passage.standing is Standing.SELF
    assert node.doorkeeper.log == []


def test_the_old_header_set_opens_no_stream(node: Receiver) -> None:
    node.doorkeeper.legacy.add(A.did)
    fields = CIMultiDict({"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "X-Federation-DID": str(A.did)})
    assert play_stream(node, fields) == "unsigned"


def test_invariant_1_a_captured_stream_request_is_worthless_elsewhere_and_twice(node: Receiver) -> None:
    fields = stream_fields(A, C.did, node.clock.wall())
    assert play_stream(node, fields) == "passes"
    assert play_stream(node, fields) == "replayed"
    elsewhere = Receiver(B, FakeDoorkeeper(B.did, members=[A.did, C.did]), ManualClock())
    elsewhere.clock.advance(limits.CHALLENGE_AFTER_START)
    assert play_stream(elsewhere, fields) == "wrong-audience"
    mine = stream_fields(B, C.did, node.clock.wall(), key=fields["Sec-WebSocket-Key"])
    assert play_stream(node, mine) == "passes", "the key of a handshake is nobody's"
    node.restart()
    assert play_stream(node, fields) == "stale", "challenged after a restart"
    node.clock.advance(limits.CHALLENGE_AFTER_START)
    assert play_stream(node, fields) == "stale"


def test_invariant_1_calls_and_streams_share_one_table_of_nonces(node: Receiver) -> None:
    nonce, body = fresh_nonce(), call_body()
    assert node.play(signed_fields(A, C.did, body, node.clock.wall(), nonce=nonce), body) == "passes"
    assert play_stream(node, stream_fields(A, C.did, node.clock.wall(), nonce=nonce)) == "replayed"


def test_invariant_1_a_stale_request_for_a_stream_is_challenged_and_opens_once(node: Receiver) -> None:
    nonce, created = fresh_nonce(), node.clock.wall() - 7200
    assert play_stream(node, stream_fields(A, C.did, created, nonce=nonce)) == "stale"
    answered = stream_fields(A, C.did, created, nonce=nonce, challenge=node.challenge)
    assert play_stream(node, answered) == "passes"
    assert play_stream(node, answered) == "replayed"


def test_invariant_1_another_handshake_does_not_fit_a_captured_signature(node: Receiver) -> None:
    fields = stream_fields(A, C.did, node.clock.wall())
    fields["Sec-WebSocket-Key"] = stream_fields(A, C.did, 1)["Sec-WebSocket-Key"]
    assert play_stream(node, fields) == "bad-signature"


@pytest.mark.parametrize("method", ["federation.get-state", "package.install"])
def test_invariant_2_the_credentials_of_a_stream_open_no_call_and_those_of_a_call_no_stream(
    node: Receiver, method: str
) -> None:
    body = call_body(method)
    stream = stream_fields(A, C.did, node.clock.wall())
    stream["Content-Type"] = "application/json"
    stream["Content-Digest"] = contentdigest.of(body)
    assert node.play(stream, body) == "malformed"
    call = signed_fields(A, C.did, body, node.clock.wall())
    call["Sec-WebSocket-Key"] = stream["Sec-WebSocket-Key"]
    assert play_stream(node, call) == "malformed"


def test_invariant_2_a_challenge_answered_for_a_stream_opens_no_install(node: Receiver) -> None:
    """The challenge fits the key and the nonce; but the answer signs a stream, and the nonce is used up."""
    nonce, body = fresh_nonce(), call_body("package.install")
    now = node.clock.wall()
    assert play_stream(node, stream_fields(A, C.did, now - 7200, nonce=nonce)) == "stale"
    challenge = node.challenge
    answered = stream_fields(A, C.did, now, nonce=nonce, challenge=challenge)
    answered["Content-Type"] = "application/json"
    answered["Content-Digest"] = contentdigest.of(body)
    assert node.play(answered, body) == "malformed"
    assert play_stream(node, answered) == "passes"
    install = signed_fields(A, C.did, body, now, nonce=nonce, challenge=challenge)
    assert node.play(install, body) == "replayed"
