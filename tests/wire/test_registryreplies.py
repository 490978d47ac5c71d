"""Answers of a registry: what is written, and what a client of ours reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from enigma_fed.base import registry_errors as refusals
from enigma_fed.base.errors import WireError
from enigma_fed.wire import registryreplies as replies
from enigma_fed.wire.registryreplies import EnvelopePublicKey, PowChallenge
from tests.support.registryusers import KID, User

ALICE = User("alice")
KEY = EnvelopePublicKey(KID, bytes(32), active=True)
OLD = EnvelopePublicKey(bytes(8), bytes(32), active=False, not_after_ms=1)
CHALLENGE = PowChallenge("00" * 16, 18, 5)


def test_trap_1_the_answers_hold_exactly_what_clients_expect() -> None:
    assert replies.OK == b'{"ok":true}'
    assert (replies.exists(True), replies.exists(False)) == (b'{"exists":true}', b'{"exists":false}')
    assert replies.merged(3) == b'{"merged":3}'
    assert replies.nodes(["http://a"]) == b'{"nodes":[{"base_url":"http://a"}]}'
    assert json.loads(KEY.to_json()) == {
        "kid_hex": KID.hex(), "x25519_public_key_hex": "00" * 32, "active": True,
    }  # fmt: skip
    assert json.loads(OLD.to_json())["not_after_epoch_ms"] == 1
    assert [len(key) for key in json.loads(replies.envelope_public_keys([KEY, OLD]))] == [3, 4]
    absent, found = (json.loads(replies.resolved(ALICE.id, sealed)) for sealed in (None, ALICE.sealed()))
    assert absent == {"handle": ALICE.id.hex, "envelope": None}
    assert list(found) == ["handle", "envelope"]
    assert list(found["envelope"]) == ["kid", "sender_pubkey", "nonce", "ciphertext"]


def test_trap_5_a_challenge_names_its_end_twice() -> None:
    assert json.loads(CHALLENGE.to_json()) == {
        "challenge": "00" * 16, "difficulty": 18, "expires_ms": 5, "_expires_ms": 5,
    }  # fmt: skip


REFUSALS: list[refusals.RegistryError] = [
    refusals.InputRefused("handle"),
    refusals.UnknownEnvelopeKey(),
    refusals.ExpiredEnvelopeKey(),
    refusals.PowRequired(),
    refusals.FeatureDisabled("pow"),
    refusals.Unauthorized(),
    refusals.NotFoundHere(),
    refusals.MethodNotAllowed(),
    refusals.IdentityConflict(),
    refusals.TooLarge(),
    refusals.UnsupportedMediaType(),
    refusals.RateLimited(7),
    refusals.InternalFault(),
    refusals.Unavailable(7),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_a_refusal_is_read_as_it_was_written(refusal: refusals.RegistryError) -> None:
    written = replies.error(refusal)
    said = json.loads(written)["error"]
    assert said["code"] == refusal.registry_code
    assert ("details" in said) == (refusal.field is not None)
    found = replies.read_error(refusal.http_status, written, refusal.retry_after)
    assert type(found) in (type(refusal), refusals.UnknownEnvelopeKey)
    assert (found.message, found.field, found.retry_after, found.http_status) == (
        refusal.message, refusal.field, refusal.retry_after, refusal.http_status,
    )  # fmt: skip


def test_trap_2_only_an_unknown_or_expired_key_speaks_of_an_envelope_key() -> None:
    speaking = {type(refusal) for refusal in REFUSALS if b"envelope key" in replies.error(refusal).lower()}
    assert speaking == {refusals.UnknownEnvelopeKey, refusals.ExpiredEnvelopeKey}


def test_the_codes_and_their_statuses() -> None:
    assert {cls.registry_code: cls.http_status for cls in refusals.CLASSES} == {
        "INVALID_INPUT": 400, "POW_REQUIRED": 400, "FEATURE_DISABLED": 400, "UNAUTHORIZED": 401,
        "NOT_FOUND": 404, "METHOD_NOT_ALLOWED": 405, "CONFLICT": 409, "TOO_LARGE": 413,
        "UNSUPPORTED_MEDIA_TYPE": 415, "RATE_LIMITED": 429, "INTERNAL": 500, "UNAVAILABLE": 503,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "data", "kind", "message"),
    [
        (400, b'{"error":{"code":"CONFIG","message":"config x"}}', refusals.RegistryError, "config x"),
        (409, b'{"error":"conflict"}', refusals.RegistryError, "conflict"),
        (502, b"<html>", refusals.RegistryError, "HTTP status 502"),
        (429, b"", refusals.RateLimited, "HTTP status 429"),
        (503, b"[]", refusals.Unavailable, "HTTP status 503"),
        (400, b'{"error":[]}', refusals.RegistryError, "HTTP status 400"),
        (400, b'{"error":{"code":[],"message":{}}}', refusals.RegistryError, "{}"),
        (400, b'{"error":{"code":"INVALID_INPUT","message":"Unknown ENVELOPE key"}}',
         refusals.UnknownEnvelopeKey, "Unknown ENVELOPE key"),
        (400, b'{"error":{"code":"INVALID_INPUT","message":"invalid input: handle","details":{}}}',
         refusals.InputRefused, "invalid input: handle"),
    ],
)  # fmt: skip
def test_what_other_servers_answer(
    status: int, data: bytes, kind: type[refusals.RegistryError], message: str
) -> None:
    found = replies.read_error(status, data)
    assert (type(found), found.message) == (kind, message)


def test_a_long_text_of_a_registry_is_cut() -> None:
    long = json.dumps(
        {"error": {"code": "CONFLICT", "message": "x" * 9999, "details": {"field": "y" * 9999}}}
    )
    found = replies.read_error(409, long.encode())
    assert len(found.message) < 1000
    assert found.field is not None
    assert len(found.field) < 1000


READERS: dict[str, tuple[Callable[[bytes], object], bytes, object]] = {
    "ok": (replies.read_ok, replies.OK, None),
    "exists": (replies.read_exists, replies.exists(True), True),
    "merged": (replies.read_merged, replies.merged(2), 2),
    "resolved": (
        replies.read_resolved,
        replies.resolved(ALICE.id, ALICE.sealed()),
        (ALICE.id, ALICE.sealed()),
    ),
    "absent": (replies.read_resolved, replies.resolved(ALICE.id, None), (ALICE.id, None)),
    "nodes": (replies.read_nodes, replies.nodes(["http://a"]), ("http://a",)),
    "key": (replies.read_key, OLD.to_json(), OLD),
    "keys": (replies.read_keys, replies.envelope_public_keys([KEY, OLD]), (KEY, OLD)),
    "challenge": (replies.read_challenge, CHALLENGE.to_json(), CHALLENGE),
}


@pytest.mark.parametrize(("reader", "data", "value"), READERS.values(), ids=READERS)
def test_an_answer_is_read_as_it_was_written(
    reader: Callable[[bytes], object], data: bytes, value: object
) -> None:
    assert reader(data) == value


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"1", b'{"ok":1}', b'{"ok":false}'])
@pytest.mark.parametrize(("reader", "_data", "_value"), READERS.values(), ids=READERS)
def test_an_answer_that_breaks_the_format(
    reader: Callable[[bytes], object], _data: bytes, _value: object, data: bytes
) -> None:
    with pytest.raises(WireError, match="the registry's answer"):
        reader(data)


@pytest.mark.parametrize("name", [name for name in READERS if name not in ("keys", "challenge")])
def test_a_member_too_many_breaks_the_format(name: str) -> None:
    reader, data, _ = READERS[name]
    with pytest.raises(WireError):
        reader(data[:-1] + b',"more":1}')


def test_a_challenge_of_another_registry_may_say_more() -> None:
    members: dict[str, Any] = {"challenge": "x", "difficulty": 255, "expires_ms": 1, "more": []}
    assert replies.read_challenge(json.dumps(members).encode()) == PowChallenge("x", 255, 1)
