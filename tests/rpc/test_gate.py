"""The order of checks of a signed request (PROTOCOL section 1), and invariants 1 and 2."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from enigma_fed.base import limits
from enigma_fed.rpc.methods import Standing
from enigma_fed.wire import contentdigest
from enigma_fed.wire.jsonrpc import BodyForm
from tests.support.manualclock import ManualClock
from tests.support.signedcalls import FakeDoorkeeper, Receiver, call_body, fresh_nonce, key, signed_fields

A, B, C, STRANGER, GONE = key(1), key(2), key(3), key(4), key(5)
INSTALL = "package.install"
JOIN = "federation.peer-joined"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def settled(node: Receiver) -> Receiver:
    """The node after its first three minutes, when it no longer challenges everyone."""
    node.clock.advance(limits.CHALLENGE_AFTER_START)
    return node


@pytest.fixture
def node(clock: ManualClock) -> Receiver:
    doorkeeper = FakeDoorkeeper(C.did, members=[A.did, B.did], removed=[GONE.did])
    return settled(Receiver(C, doorkeeper, clock))


def tampered(fields: CIMultiDict[str], **changes: str) -> CIMultiDict[str]:
    copy = fields.copy()
    for name, value in changes.items():
        copy[name.replace("_", "-")] = value
    return copy


def test_a_members_poll_passes_and_is_heard(node: Receiver) -> None:
    body = call_body()
    assert node.play(signed_fields(A, C.did, body, node.clock.wall()), body) == "passes"
    assert node.passage.standing is Standing.MEMBER
    assert node.doorkeeper.log == ["heard"]


def test_cbor_passes_like_json(node: Receiver) -> None:
    body = call_body(form=BodyForm.CBOR)
    fields = signed_fields(A, C.did, body, node.clock.wall(), form=BodyForm.CBOR)
    assert node.play(fields, body, BodyForm.CBOR) == "passes"


def test_without_signature_it_is_unsigned(node: Receiver) -> None:
    assert node.play(CIMultiDict({"Content-Type": "application/json"}), call_body()) == "unsigned"
    assert not node.passage.signature_held


@pytest.mark.parametrize(
    ("faults", "answer"),
    [
        (("form", "audience", "time", "digest", "signature"), "malformed"),
        (("audience", "time", "digest", "signature"), "wrong-audience"),
        (("time", "digest", "signature"), "stale"),
        (("digest", "signature"), "bad-digest"),
        (("signature",), "bad-signature"),
        ((), "replayed"),
    ],
)
def test_the_checks_come_in_order(node: Receiver, faults: tuple[str, ...], answer: str) -> None:
    """With several faults, and a used nonce each time, the first in the order is named."""
    body, nonce = call_body(), fresh_nonce()
    assert node.play(signed_fields(A, C.did, body, node.clock.wall(), nonce=nonce), body) == "passes"
    receiver = B.did if "audience" in faults else C.did
    created = node.clock.wall() - (3600 if "time" in faults else 0)
    fields = signed_fields(A, receiver, body, created, nonce=nonce)
    if "digest" in faults:
        fields["Content-Digest"] = contentdigest.of(b"another body")
    if "signature" in faults:
        fields["Signature"] = signed_fields(B, C.did, b"", 1)["Signature"]
    if "form" in faults:
        fields.add("Signature", fields["Signature"])
    assert node.play(fields, body) == answer


@pytest.mark.parametrize("seconds", [-61, 61, 3600, -3600])
def test_outside_the_window_it_is_stale(node: Receiver, seconds: int) -> None:
    body = call_body()
    assert node.play(signed_fields(A, C.did, body, node.clock.wall() + seconds), body) == "stale"


def test_within_the_window_it_passes_until_its_own_end(node: Receiver) -> None:
    body = call_body()
    assert node.play(signed_fields(A, C.did, body, node.clock.wall() - 60), body) == "passes"
    assert node.play(signed_fields(A, C.did, body, node.clock.wall() + 60), body) == "passes"


def test_stale_is_answered_by_a_challenge_that_opens_once(node: Receiver) -> None:
    body, nonce, wrong_clock = call_body(), fresh_nonce(), node.clock.wall() - 7200
    assert node.play(signed_fields(A, C.did, body, wrong_clock, nonce=nonce), body) == "stale"
    answered = signed_fields(A, C.did, body, wrong_clock, nonce=nonce, challenge=node.challenge)
    assert node.play(answered, body) == "passes"
    assert node.play(answered, body) == "replayed"


def test_a_nonce_that_was_only_challenged_is_not_used_up(node: Receiver) -> None:
    body, nonce = call_body(), fresh_nonce()
    old = signed_fields(A, C.did, body, node.clock.wall() - 7200, nonce=nonce)
    assert [node.play(old, body) for _ in range(3)] == ["stale"] * 3
    retry = signed_fields(A, C.did, body, node.clock.wall(), nonce=nonce, challenge=node.challenge)
    assert node.play(retry, body) == "passes"


def test_invariant_1_a_challenge_is_bound_to_key_and_nonce_and_lives_30_seconds(node: Receiver) -> None:
    body, nonce, now = call_body(), fresh_nonce(), node.clock.wall()
    node.play(signed_fields(A, C.did, body, now - 7200, nonce=nonce), body)
    challenge = node.challenge
    for sender, own_nonce in ((B, nonce), (A, fresh_nonce())):
        fields = signed_fields(sender, C.did, body, now, nonce=own_nonce, challenge=challenge)
        assert node.play(fields, body) == "bad-challenge"
    node.clock.advance(limits.CHALLENGE_LIFETIME + 1)
    late = signed_fields(A, C.did, body, node.clock.wall(), nonce=nonce, challenge=challenge)
    assert node.play(late, body) == "bad-challenge", "even though created is fresh"


def test_a_step_of_the_wall_clock_does_not_prolong_a_challenge(node: Receiver) -> None:
    body, nonce = call_body(), fresh_nonce()
    node.play(signed_fields(A, C.did, body, 0, nonce=nonce), body)
    challenge = node.challenge
    node.clock.advance(limits.CHALLENGE_LIFETIME + 1)
    node.clock.step_wall(-limits.CHALLENGE_LIFETIME - 1)
    fields = signed_fields(A, C.did, body, node.clock.wall(), nonce=nonce, challenge=challenge)
    assert node.play(fields, body) == "bad-challenge"


def test_invariant_1_a_challenge_that_is_not_covered_breaks_the_profile(node: Receiver) -> None:
    body = call_body()
    fields = signed_fields(A, C.did, body, node.clock.wall())
    assert node.play(tampered(fields, Federation_Challenge="x"), body) == "malformed"
    covered = signed_fields(A, C.did, body, node.clock.wall(), challenge="x")
    del covered["Federation-Challenge"]
    assert node.play(covered, body) == "malformed"


def test_a_bad_signature_uses_up_no_nonce(node: Receiver) -> None:
    """Otherwise anyone could burn a nonce that was seen on its way."""
    body, nonce = call_body(), fresh_nonce()
    good = signed_fields(A, C.did, body, node.clock.wall(), nonce=nonce)
    forged = tampered(good, Signature=signed_fields(B, C.did, b"", 1)["Signature"])
    assert node.play(forged, body) == "bad-signature"
    assert node.play(good, body) == "passes"


def test_invariant_1_a_used_nonce_stays_used_as_long_as_the_request_could_be_fresh(node: Receiver) -> None:
    body = call_body()
    ahead = signed_fields(A, C.did, body, node.clock.wall() + 60)
    assert node.play(ahead, body) == "passes"
    for _ in range(121):
        node.clock.advance(1)
        assert node.play(ahead, body) in {"replayed", "stale"}


def test_invariant_1_what_a_clock_ahead_signed_is_worthless_when_its_time_comes(node: Receiver) -> None:
    """The first try, without a challenge, has the nonce of the one that answered it, forgotten by then."""
    body, nonce, ahead = call_body(), fresh_nonce(), node.clock.wall() + 3600
    first = signed_fields(A, C.did, body, ahead, nonce=nonce)
    assert node.play(first, body) == "stale"
    again = signed_fields(A, C.did, body, ahead + 1, nonce=nonce, challenge=node.challenge)
    assert node.play(again, body) == "passes"
    for _ in range(130):
        node.clock.advance(30)
        assert node.play(first, body) in {"replayed", "stale"}
        assert node.play(signed_fields(B, C.did, body, node.clock.wall()), body) == "passes", (
            "B's clock is right"
        )
    assert node.play(signed_fields(A, C.did, body, node.clock.wall()), body) == "passes", "the time is over"


@pytest.mark.parametrize(("method", "answer"), [("federation.get-state", "passes"), (INSTALL, "stale")])
def test_what_is_left_of_a_clock_ahead_passes_once_more_after_a_restart_and_opens_no_install(
    node: Receiver, method: str, answer: str
) -> None:
    """The caller heard of its clock by this very call, and the receiver forgot it: PROTOCOL section 1.4."""
    body, nonce, ahead = call_body(method), fresh_nonce(), node.clock.wall() + 3600
    first = signed_fields(A, C.did, body, ahead, nonce=nonce)
    assert node.play(first, body) == "stale"
    assert (
        node.play(signed_fields(A, C.did, body, ahead, nonce=nonce, challenge=node.challenge), body)
        == "passes"
    )
    node.restart()
    node.clock.advance(3600)
    assert node.play(first, body) == answer
    assert node.play(first, body) in {"replayed", "stale"}


def test_invariant_1_a_clock_less_than_two_minutes_ahead_leaves_nothing(node: Receiver) -> None:
    body, nonce, ahead = call_body(), fresh_nonce(), node.clock.wall() + 119
    first = signed_fields(A, C.did, body, ahead, nonce=nonce)
    assert node.play(first, body) == "stale"
    assert (
        node.play(signed_fields(A, C.did, body, ahead, nonce=nonce, challenge=node.challenge), body)
        == "passes"
    )
    node.restart()
    for _ in range(240):
        node.clock.advance(1)
        assert node.play(first, body) == "stale"


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"{", "parse-error"),
        (b"[]", "invalid-request"),
        (b'[{"jsonrpc":"2.0","id":1,"method":"federation.get-state"}]', "invalid-request"),
        (b'{"jsonrpc":"2.0","id":1,"method":"no.such"}', "method-not-found"),
    ],
)
def test_a_members_broken_body_is_answered_after_all_other_checks(
    node: Receiver, body: bytes, answer: str
) -> None:
    fields = signed_fields(A, C.did, body, node.clock.wall())
    assert node.play(fields, body) == answer
    assert node.passage.past_nonce
    assert node.play(fields, body) == "replayed"


def test_the_node_may_call_itself(node: Receiver) -> None:
    body = call_body()
    assert node.play(signed_fields(C, C.did, body, node.clock.wall()), body) == "passes"
    assert node.passage.standing is Standing.SELF
    assert node.doorkeeper.log == []


def test_a_full_table_says_busy_and_forgets_nothing(node: Receiver) -> None:
    body = call_body()
    first = signed_fields(A, C.did, body, node.clock.wall())
    node.play(first, body)
    for _ in range(limits.NONCES_PER_KEY - 1):
        node.play(signed_fields(A, C.did, body, node.clock.wall()), body)
    assert node.play(signed_fields(A, C.did, body, node.clock.wall()), body) == "busy"
    assert node.play(first, body) == "replayed"
    assert node.play(signed_fields(B, C.did, body, node.clock.wall()), body) == "passes", (
        "another key's share"
    )
    node.clock.advance(limits.NONCE_MEMORY + 1)
    assert node.play(signed_fields(A, C.did, body, node.clock.wall()), body) == "passes"


def test_a_peer_whose_clock_is_hours_ahead_does_not_fill_its_own_share(node: Receiver) -> None:
    body = call_body()

    def poll() -> str:
        nonce, ahead = fresh_nonce(), node.clock.wall() + 7200
        node.play(signed_fields(A, C.did, body, ahead, nonce=nonce), body)
        return node.play(signed_fields(A, C.did, body, ahead, nonce=nonce, challenge=node.challenge), body)

    answers = set()
    for _ in range(limits.NONCES_PER_KEY + 1):
        answers.add(poll())
        node.clock.advance(1)
    assert answers == {"passes"}


def test_everyone_is_challenged_for_three_minutes_after_a_start(node: Receiver) -> None:
    body = call_body()
    node.restart()
    for _ in range(limits.CHALLENGE_AFTER_START):
        assert node.play(signed_fields(A, C.did, body, node.clock.wall()), body) == "stale"
        node.clock.advance(1)
    assert node.play(signed_fields(A, C.did, body, node.clock.wall()), body) == "passes"


def test_invariant_1_a_captured_request_is_worthless_elsewhere_and_twice(node: Receiver) -> None:
    """A polls B; B plays what it got to C, as a poll and as an install; then to its real target again."""
    clock, body = node.clock, call_body()
    target = settled(Receiver(B, FakeDoorkeeper(B.did, members=[A.did]), clock))
    captured = signed_fields(A, B.did, body, clock.wall())
    assert target.play(captured, body) == "passes"

    assert node.play(captured, body) == "wrong-audience"
    install = call_body(INSTALL, {"id": "evil"})
    assert node.play(captured, install) == "wrong-audience"
    redigested = tampered(captured, Content_Digest=contentdigest.of(install))
    assert node.play(redigested, install) == "wrong-audience"
    readdressed = tampered(captured, Federation_Audience=str(C.did))
    assert node.play(readdressed, body) == "bad-signature"

    assert target.play(captured, body) == "replayed"
    target.restart()  # kill -9: the replay table is gone
    assert target.play(captured, body) == "stale", "challenged"
    challenged = tampered(captured, Federation_Challenge=target.challenge)
    assert target.play(challenged, body) == "malformed", "the challenge is not under the signature"


def test_invariant_1_a_captured_request_is_worthless_after_its_minute_and_after_a_day(node: Receiver) -> None:
    """Long after its nonce was forgotten, and with the challenge that it once answered."""
    body, nonce = call_body(), fresh_nonce()
    plain = signed_fields(A, C.did, body, node.clock.wall())
    assert node.play(plain, body) == "passes"
    node.play(signed_fields(A, C.did, body, 0, nonce=nonce), body)
    answered = signed_fields(A, C.did, body, node.clock.wall(), nonce=nonce, challenge=node.challenge)
    assert node.play(answered, body) == "passes"
    for seconds in (limits.NONCE_MEMORY, 24 * 3600):
        node.clock.advance(seconds)
        assert len(node.gate._nonces) <= 2
        assert node.play(plain, body) == "stale"
        assert node.play(answered, body) == "bad-challenge"


def test_invariant_1_an_answered_challenge_is_worthless_after_a_restart(node: Receiver) -> None:
    body, nonce = call_body(), fresh_nonce()
    node.restart()
    node.play(signed_fields(A, C.did, body, node.clock.wall(), nonce=nonce), body)
    answered = signed_fields(A, C.did, body, node.clock.wall(), nonce=nonce, challenge=node.challenge)
    assert node.play(answered, body) == "passes"
    node.restart()
    assert node.play(answered, body) == "bad-challenge"


def test_invariant_2_poll_credentials_never_open_an_install(node: Receiver) -> None:
    """What a poll proves, even an answered challenge, is bound to the poll's own bytes."""
    poll, install, nonce = call_body(), call_body(INSTALL, {"id": "evil"}), fresh_nonce()
    fields = signed_fields(A, C.did, poll, node.clock.wall(), nonce=nonce)
    assert node.play(fields, install) == "bad-digest"
    assert node.play(tampered(fields, Content_Digest=contentdigest.of(install)), install) == "bad-signature"

    stale = signed_fields(A, C.did, poll, node.clock.wall() - 3600, nonce=nonce)
    node.play(stale, poll)
    answered = signed_fields(A, C.did, poll, node.clock.wall(), nonce=nonce, challenge=node.challenge)
    redigested = tampered(answered, Content_Digest=contentdigest.of(install))
    assert node.play(redigested, install) == "bad-signature"


def test_invariant_2_an_install_always_needs_a_challenge(node: Receiver) -> None:
    """Fresh, signed and from a member: still challenged, every time."""
    install, nonce = call_body(INSTALL), fresh_nonce()
    fields = signed_fields(A, C.did, install, node.clock.wall(), nonce=nonce)
    assert [node.play(fields, install) for _ in range(2)] == ["stale", "stale"]
    assert node.passage.signature_held
    assert not node.passage.past_nonce
    assert node.doorkeeper.log == [], "nobody was heard, nothing was admitted"
    retry = signed_fields(A, C.did, install, node.clock.wall(), nonce=nonce, challenge=node.challenge)
    assert node.play(retry, install) == "passes"
    assert node.play(retry, install) == "replayed"
