"""Our profile against a complete implementation of RFC 9421, in both directions, over any values."""

from __future__ import annotations

import time
from types import SimpleNamespace

from http_message_signatures import HTTPMessageSignaturesException
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from enigma_fed.base.errors import WireError
from enigma_fed.base.rpc_errors import Unsigned
from enigma_fed.identity.signing import verify
from enigma_fed.wire import contentdigest, httpsig
from enigma_fed.wire.jsonrpc import BodyForm
from tests.support.signaturelibrary import (
    REPLY_COMPONENTS,
    REQUEST_COMPONENTS,
    library_request,
    library_sign,
    library_verify,
)
from tests.support.signedcalls import key, signed_fields

A, B = key(1), key(2)
_NONCES = st.from_regex(r"[A-Za-z0-9_-]{16,64}", fullmatch=True)
_CHALLENGES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128)
_FORMS = st.sampled_from(BodyForm)
_BODIES = st.binary(max_size=200)
_AGES = st.integers(0, 30)


@settings(max_examples=60)
@given(_FORMS, _BODIES, _NONCES, st.none() | _CHALLENGES, _AGES)
def test_what_we_sign_the_library_accepts(
    form: BodyForm, body: bytes, nonce: str, challenge: str | None, age: int
) -> None:
    created = int(time.time()) - age
    fields = signed_fields(A, B.did, body, created, nonce=nonce, challenge=challenge, form=form)
    (found,) = library_verify(library_request(fields), 1, "enigma-fed")
    covered = set(found.covered_components) - {'"@signature-params"'}
    assert covered == {*REQUEST_COMPONENTS, *(['"federation-challenge"'] if challenge else [])}
    assert found.parameters["nonce"] == nonce


@settings(max_examples=60)
@given(_FORMS, _BODIES, _NONCES, st.none() | _CHALLENGES, st.integers(1, 60), st.booleans(), st.data())
def test_what_the_library_signs_by_our_profile_we_accept(
    form: BodyForm,
    body: bytes,
    nonce: str,
    challenge: str | None,
    lifetime: int,
    include_alg: bool,
    data: st.DataObject,
) -> None:
    headers = CIMultiDict(
        {
            "Content-Type": form.value,
            "Content-Digest": contentdigest.of(body),
            "Federation-Audience": str(B.did),
        }
    )
    components = [*REQUEST_COMPONENTS]
    if challenge is not None:
        headers["Federation-Challenge"] = challenge
        components.append('"federation-challenge"')
    library_sign(
        library_request(headers),
        1,
        1_800_000_000,
        data.draw(st.permutations(components)),
        tag="enigma-fed",
        nonce=nonce,
        lifetime=lifetime,
        include_alg=include_alg,
    )
    signed = httpsig.read_request(headers, form.value)
    assert (signed.nonce, signed.expires - signed.created) == (nonce, lifetime)
    assert signed.challenge == challenge
    assert verify(A.did.public_key, signed.base, signed.signature)


@settings(max_examples=60)
@given(_FORMS, _BODIES, st.sampled_from([200, 400, 401, 413, 415, 429]), _AGES, st.booleans())
def test_replies_go_both_ways_too(form: BodyForm, body: bytes, status: int, age: int, ours: bool) -> None:
    request = signed_fields(A, B.did, b"{}", time.time())
    created = int(time.time()) - age
    headers = CIMultiDict({"Content-Type": form.value, "Content-Digest": contentdigest.of(body)})
    message = SimpleNamespace(
        status_code=status, headers=headers, url="http://peer.onion/", request=library_request(request)
    )
    if ours:
        headers.update(
            httpsig.sign_reply(
                B.sign,
                keyid=B.did.url,
                status=status,
                content_type=form.value,
                body=body,
                request_signature=request["Signature"],
                created=created,
            )
        )
        assert len(library_verify(message, 2, "enigma-fed-reply")) == 1
    else:
        library_sign(message, 2, created, REPLY_COMPONENTS, tag="enigma-fed-reply")
    said = httpsig.read_reply(
        headers, status=status, content_type=form.value, request_signature=request["Signature"]
    )
    assert verify(B.did.public_key, said.base, said.signature)


_NAMES = st.sampled_from(
    [
        "Signature",
        "Signature-Input",
        "Content-Digest",
        "Federation-Audience",
        "Content-Type",
        "Federation-Challenge",
    ]
)


@settings(max_examples=200)
@given(
    _NAMES, st.integers(0, 400), st.sampled_from(['"', ";", "=", " ", "A", "0", "", "(", ":"]), st.booleans()
)
def test_what_we_accept_of_changed_requests_the_library_accepts(
    name: str, position: int, piece: str, replace: bool
) -> None:
    """We may be stricter than RFC 9421, never laxer."""
    body = b"{}"
    fields = signed_fields(A, B.did, body, time.time(), challenge="abc")
    value = fields[name]
    at = position % (len(value) + 1)
    fields[name] = value[:at] + piece + value[at + replace :]
    try:
        signed = httpsig.read_request(fields, "application/json")
    except (WireError, Unsigned):
        return
    if signed.keyid != A.did.url or not verify(A.did.public_key, signed.base, signed.signature):
        return
    fields["Content-Type"] = "application/json"  # the endpoint takes no other
    try:
        assert len(library_verify(library_request(fields), 1, "enigma-fed")) == 1
    except HTTPMessageSignaturesException as error:
        raise AssertionError(f"we accept {name}: {fields[name]!r}") from error
