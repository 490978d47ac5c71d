"""Unknown and removed DIDs at the gate: only joins with a token of ours come in (PROTOCOL section 1.2)."""

from __future__ import annotations

import base64

import pytest

from enigma_fed.base import limits
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.rpc.methods import Standing
from enigma_fed.wire import contentdigest, jsonrpc
from enigma_fed.wire.jsonrpc import BodyForm
from tests.support.manualclock import ManualClock
from tests.support.signedcalls import FakeDoorkeeper, Receiver, call_body, fresh_nonce, key, signed_fields

A, B, C, STRANGER, GONE = key(1), key(2), key(3), key(4), key(5)
INSTALL = "package.install"
JOIN = "federation.peer-joined"


@pytest.fixture
def node() -> Receiver:
    """C, after its first three minutes."""
    clock = ManualClock()
    receiver = Receiver(C, FakeDoorkeeper(C.did, members=[A.did, B.did], removed=[GONE.did]), clock)
    clock.advance(limits.CHALLENGE_AFTER_START)
    return receiver


def test_invariant_7_an_unknown_did_is_told_so_and_its_nonce_is_not_kept(node: Receiver) -> None:
    body = call_body()
    fields = signed_fields(STRANGER, C.did, body, node.clock.wall())
    assert node.play(fields, body) == "unknown-peer"
    assert node.passage.signature_held
    assert node.play(fields, body) == "unknown-peer", "not replayed: nothing was remembered"
    assert "heard" not in node.doorkeeper.log


@pytest.mark.parametrize("method", ["federation.get-state", INSTALL, "no.such-method"])
def test_only_joins_are_open_to_an_unknown_did(node: Receiver, method: str) -> None:
    body = call_body(method)
    assert node.play(signed_fields(STRANGER, C.did, body, node.clock.wall()), body) == "unknown-peer"


@pytest.mark.parametrize(
    ("faults", "answer"),
    [
        (("size", "audience", "time", "body", "token", "digest", "signature"), "too-large"),
        (("audience", "time", "body", "token", "digest", "signature"), "wrong-audience"),
        (("time", "body", "token", "digest", "signature"), "stale"),
        (("body", "token", "digest", "signature"), "parse-error"),
        (("token", "digest", "signature"), "unknown-token"),
        (("digest", "signature"), "bad-digest"),
        (("signature",), "bad-signature"),
        ((), "replayed"),
    ],
)
def test_a_join_is_checked_in_its_own_order(node: Receiver, faults: tuple[str, ...], answer: str) -> None:
    node.doorkeeper.tokens = {"known"}
    nonce, good = fresh_nonce(), call_body(JOIN, {"token": "known"})
    assert node.play(signed_fields(STRANGER, C.did, good, node.clock.wall(), nonce=nonce), good) == "passes"
    body = b"{" if "body" in faults else call_body(JOIN, {"token": "x"}) if "token" in faults else good
    if "size" in faults:
        body += b" " * limits.STRANGER_REQUEST_BYTES
    receiver = B.did if "audience" in faults else C.did
    created = node.clock.wall() - (3600 if "time" in faults else 0)
    fields = signed_fields(STRANGER, receiver, body, created, nonce=nonce)
    if "digest" in faults:
        fields["Content-Digest"] = contentdigest.of(b"another body")
    if "signature" in faults:
        fields["Signature"] = signed_fields(B, C.did, b"", 1)["Signature"]
    assert node.play(fields, body) == answer
    if "token" in faults:
        assert not node.passage.signature_held, "the token is looked up before any signature is checked"


def test_invariant_7_a_strangers_body_is_not_decoded_before_it_is_small_addressed_to_us_and_fresh(
    node: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    decode = jsonrpc.decode_call

    def noting(form: BodyForm, body: bytes, items: int) -> jsonrpc.Call:
        decoded.append(len(body))
        return decode(form, body, items)

    monkeypatch.setattr(jsonrpc, "decode_call", noting)
    body, now = call_body(JOIN, {"token": "x"}), node.clock.wall()
    large = body + b" " * (limits.STRANGER_REQUEST_BYTES + 1 - len(body))
    assert node.play(signed_fields(STRANGER, C.did, large, now), large) == "too-large"
    assert node.play(signed_fields(GONE, C.did, large, now), large) == "removed"
    assert node.play(signed_fields(STRANGER, B.did, body, now), body) == "wrong-audience"
    assert node.play(signed_fields(STRANGER, C.did, body, now - 3600), body) == "stale"
    assert decoded == []
    assert node.play(signed_fields(STRANGER, C.did, large[:-1], now), large[:-1]) == "unknown-token"
    for sender, answer in ((STRANGER, "parse-error"), (GONE, "removed"), (A, "passes")):
        many = call_body(JOIN, {"token": "x", "more": [1] * limits.STRANGER_ITEMS})
        assert node.play(signed_fields(sender, C.did, many, now), many) == answer
    del decoded[1:]
    poll = call_body() + b" " * limits.STRANGER_REQUEST_BYTES
    assert node.play(signed_fields(A, C.did, poll, now), poll) == "passes"
    assert decoded == [limits.STRANGER_REQUEST_BYTES, len(poll)]


def test_invariant_7_a_strangers_body_has_few_values(node: Receiver) -> None:
    """limits.STRANGER_ITEMS: keys count, and so do the objects and the list themselves."""
    left = limits.STRANGER_ITEMS - 13
    for more, answer in ((left, "unknown-token"), (left + 1, "parse-error")):
        body = call_body(JOIN, {"token": "x", "more": [1] * more})
        assert node.play(signed_fields(STRANGER, C.did, body, node.clock.wall()), body) == answer


def test_a_join_with_broken_params_is_refused_before_the_look_up(node: Receiver) -> None:
    body = call_body(JOIN, {"wrong": 1})
    assert node.play(signed_fields(STRANGER, C.did, body, node.clock.wall()), body) == "invalid-params"
    assert node.doorkeeper.log == []


def test_a_join_stays_used_after_its_sender_became_a_member(node: Receiver) -> None:
    node.doorkeeper.tokens = {"known"}
    body = call_body(JOIN, {"token": "known"})
    fields = signed_fields(STRANGER, C.did, body, node.clock.wall())
    assert node.play(fields, body) == "passes"
    node.doorkeeper.trust[STRANGER.did] = node.doorkeeper.trust[A.did]
    assert node.play(fields, body) == "replayed"


def test_invariant_7_made_up_keys_with_a_token_block_only_that_token(node: Receiver) -> None:
    """A used or revoked token is known too, and anyone may hold it: joins with others still pass."""
    node.doorkeeper.tokens = {"burnt", "open"}

    def join(number: int, token: str, sender: NodeKey | None = None) -> str:
        body = call_body(JOIN, {"token": token})
        return node.play(signed_fields(sender or key(number), C.did, body, node.clock.wall()), body)

    answers = [join(100 + i, "burnt") for i in range(limits.NONCES_PER_TOKEN + 1)]
    assert answers[-2:] == ["passes", "busy"]
    assert join(0, "burnt", GONE) == "busy"
    assert join(0, "open", STRANGER) == "passes"
    assert join(0, "open", GONE) == "passes"
    poll = call_body()
    assert node.play(signed_fields(A, C.did, poll, node.clock.wall()), poll) == "passes"


@pytest.mark.parametrize("method", ["federation.get-state", INSTALL, JOIN, "no.such-method"])
def test_a_removed_did_gets_removed_for_every_method_after_its_signature(node: Receiver, method: str) -> None:
    body = call_body(method, {"token": "unknown"})
    fields = signed_fields(GONE, C.did, body, node.clock.wall())
    forged = fields.copy()
    forged["Signature"] = signed_fields(B, C.did, b"", 1)["Signature"]
    assert node.play(forged, body) == "bad-signature"
    assert node.play(fields, body) == "removed"
    assert node.passage.signature_held


def test_a_removed_did_gets_removed_for_nonsense_too(node: Receiver) -> None:
    assert node.play(signed_fields(GONE, C.did, b"[", node.clock.wall()), b"[") == "removed"


def test_a_removed_did_with_a_token_reaches_the_rules_of_joins(node: Receiver) -> None:
    node.doorkeeper.tokens = {"newer invite"}
    body = call_body(JOIN, {"token": "newer invite"})
    fields = signed_fields(GONE, C.did, body, node.clock.wall())
    assert node.play(fields, body) == "passes"
    assert node.passage.standing is Standing.REMOVED
    assert node.play(fields, body) == "replayed"


def test_whoever_names_a_did_can_tell_whether_it_is_a_member_here(node: Receiver) -> None:
    """Known and accepted (THREATS): what is checked before the signature depends on the DID."""
    large = call_body(params={"x": "a" * limits.STRANGER_REQUEST_BYTES})
    answers = []
    for named in (A, STRANGER, GONE):
        fields = signed_fields(named, C.did, large, node.clock.wall())
        fields["Signature"] = f"fed=:{base64.b64encode(bytes(64)).decode()}:"
        answers.append(node.play(fields, large))
    assert answers == ["bad-signature", "too-large", "bad-signature"]
