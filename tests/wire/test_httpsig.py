"""The RFC 9421 profile: the RFC's own vector, our vectors, and a complete second implementation as oracle."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import InvalidSignature
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from enigma_fed.base.errors import WireError
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import Unsigned
from enigma_fed.identity.signing import verify
from enigma_fed.wire import httpsig, structured
from tests.support.manualclock import ManualClock
from tests.support.signaturelibrary import library_request, library_verify
from tests.support.signedcalls import FakeDoorkeeper, Receiver, call_body, key, signed_fields

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "httpsig.json").read_text(encoding="utf-8"))
WALL = 1_800_000_000
A, B = key(1), key(2)


def test_the_rfcs_own_ed25519_vector() -> None:
    """RFC 9421 appendix B.2.6, key test-key-ed25519."""
    listed = structured.parse_inner_list(
        'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"',
        "sig-b26",
    )
    values = (
        "Tue, 20 Apr 2021 02:07:55 GMT",
        "POST",
        "/foo",
        "example.com",
        "application/json",
        "18",
    )
    base = httpsig.signature_base(zip(listed.components, values, strict=True), str(listed))
    signature = structured.parse_bytes(
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
        "sig-b26",
        64,
    )
    public_key = base64.urlsafe_b64decode("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs=")
    assert verify(public_key, base, signature)
    assert not verify(public_key, base + b" ", signature)


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_vectors(case: dict[str, Any]) -> None:
    """Each vector at a node past its first three minutes."""
    given_ = case["input"]
    owner = key(3)
    assert str(owner.did) == given_["receiver"]
    members = [Did.parse(text) for text in given_["members"]]
    node = Receiver(owner, FakeDoorkeeper(owner.did, members), ManualClock(wall=given_["wall"] - 180))
    node.clock.advance(180)
    fields = CIMultiDict((name, value) for name, value in given_["headers"])
    answer = node.play(fields, given_["body"].encode("utf-8"))
    assert answer == ("passes" if case["expect"] == "ok" else case["expect"])


def signed_reply(
    request: CIMultiDict[str], body: bytes, status: int = 200, created: float = WALL
) -> CIMultiDict[str]:
    return CIMultiDict(
        httpsig.sign_reply(
            B.sign,
            keyid=B.did.url,
            status=status,
            content_type="application/json",
            body=body,
            request_signature=request["Signature"],
            created=int(created),
        )
    )


def test_the_library_verifies_our_replies_bound_to_their_request() -> None:
    request, other = (signed_fields(A, B.did, call_body(), WALL) for _ in range(2))
    headers = signed_reply(request, b"{}", created=time.time())
    reply = SimpleNamespace(status_code=200, headers=headers, url="http://peer.onion/")
    reply.request = library_request(request)
    assert len(library_verify(reply, 2, "enigma-fed-reply")) == 1
    reply.request = library_request(other)
    with pytest.raises(InvalidSignature):
        library_verify(reply, 2, "enigma-fed-reply")


def test_a_reply_holds_for_its_own_request_status_and_type_only() -> None:
    request, other = (signed_fields(A, B.did, call_body(), WALL) for _ in range(2))
    reply = signed_reply(request, b"{}")

    def holds(status: int, request_signature: str) -> bool:
        signed = httpsig.read_reply(
            reply, status=status, content_type="application/json", request_signature=request_signature
        )
        return verify(B.did.public_key, signed.base, signed.signature)

    assert holds(200, request["Signature"])
    assert not holds(401, request["Signature"])
    assert not holds(200, other["Signature"])
    with pytest.raises(WireError):
        httpsig.read_reply(reply, status=200, content_type="application/cbor", request_signature="")


@pytest.mark.parametrize("challenge", [None, "c" * 43])
def test_the_usual_form_says_what_every_other_form_says(challenge: str | None) -> None:
    """Another order is another signature base, and nothing else; a space more is not even that."""
    request = signed_fields(A, B.did, call_body(), WALL, challenge=challenge)
    usual = httpsig.read_request(request, "application/json")
    text = request["Signature-Input"]
    listed = structured.parse_inner_list(text, "fed")
    values = [line.partition(": ")[::2] for line in usual.base.decode().splitlines()[:-1]]
    assert usual.base == httpsig.signature_base(values, str(listed))

    def read(changed: str) -> httpsig.SignedRequest:
        assert changed != text
        fields = request.copy()
        fields["Signature-Input"] = changed
        return httpsig.read_request(fields, "application/json")

    assert read(text.replace("fed=(", "fed=( ")) == usual
    assert read(text.replace(";nonce", "; nonce")) == usual
    other = read(text.replace('"@method" "@path"', '"@path" "@method"'))
    assert other.base != usual.base
    assert msgspec.structs.replace(other, base=usual.base) == usual


@pytest.mark.parametrize("end", ["\n", " ", ';tag="enigma-fed"', ";x=1", ", a=()"])
def test_nothing_stands_behind_the_usual_form(end: str) -> None:
    request = signed_fields(A, B.did, call_body(), WALL)
    request["Signature-Input"] += end
    with pytest.raises(WireError):
        httpsig.read_request(request, "application/json")


def test_a_request_is_no_reply_and_a_reply_no_request() -> None:
    request = signed_fields(A, B.did, call_body(), WALL)
    reply = signed_reply(request, b"{}")
    with pytest.raises(WireError):
        httpsig.read_reply(request, status=200, content_type="application/json", request_signature="")
    reply["Federation-Audience"] = str(B.did)
    with pytest.raises(WireError):
        httpsig.read_request(reply, "application/json")


@pytest.mark.parametrize(
    ("parameter", "other"),
    [("keyid", "7"), ("nonce", "7"), ("tag", "7"), ("created", '"7"'), ("expires", "-7")],
)
def test_a_parameter_of_another_kind_is_refused(parameter: str, other: str) -> None:
    fields = signed_fields(A, B.did, call_body(), WALL)
    said = fields["Signature-Input"]
    fields["Signature-Input"] = re.sub(rf'{parameter}=("[^"]*"|\d+)', f"{parameter}={other}", said)
    assert fields["Signature-Input"] != said
    with pytest.raises(WireError):
        httpsig.read_request(fields, "application/json")


def test_a_challenge_is_carried_and_covered() -> None:
    plain = signed_fields(A, B.did, call_body(), WALL)
    fields = signed_fields(A, B.did, call_body(), WALL, challenge="abc")
    request = httpsig.read_request(fields, "application/json")
    assert request.challenge == fields["Federation-Challenge"] == "abc"
    assert b'"federation-challenge": abc' in request.base
    assert "Federation-Challenge" not in plain
    del fields["Federation-Challenge"]
    with pytest.raises(WireError, match="cover"):
        httpsig.read_request(fields, "application/json")


def test_an_unsigned_reply_says_so() -> None:
    with pytest.raises(Unsigned):
        httpsig.read_reply(CIMultiDict(), status=200, content_type="application/json", request_signature="")


_NAMES = ("Signature", "Signature-Input", "Content-Digest", "Federation-Audience", "Federation-Challenge")


@given(st.lists(st.tuples(st.sampled_from(_NAMES), st.text(max_size=200)), max_size=8), st.data())
def test_any_header_values_raise_only_what_is_declared(
    changes: list[tuple[str, str]], data: st.DataObject
) -> None:
    fields = signed_fields(A, B.did, call_body(), WALL)
    for name, value in changes:
        original = fields.get(name, "")
        cut = data.draw(st.integers(0, len(original)))
        fields[name] = original[:cut] + value
    for read in (
        lambda: httpsig.read_request(fields, "application/json"),
        lambda: httpsig.read_reply(
            fields, status=200, content_type="application/json", request_signature="fed=:AA==:"
        ),
    ):
        with contextlib.suppress(WireError, Unsigned):
            read()


def test_openssl_accepts_what_we_refuse() -> None:
    """Why keys are libsodium's business: one signature for every message under a small-order key."""
    forged_key, forged_signature = bytes([1]) + bytes(31), bytes([1]) + bytes(63)
    for message in (b"one", b"another"):
        Ed25519PublicKey.from_public_bytes(forged_key).verify(forged_signature, message)
        assert not verify(forged_key, message, forged_signature)
