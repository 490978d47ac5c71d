"""Envelopes: the key, what is sealed for whom, and the JSON around it."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.wire import envelope, strictjson
from enigma_fed.wire.envelope import Envelope
from tests.support.registryusers import PEPPER, SERVER_SECRET, User

ALICE, BOB = User("alice"), User("bob")
KEY = bytes.fromhex("0b7e1c05e8664b08a2dffe8370539c555298abe7a74ac901fafcdd8f09a52024")
NONCE = bytes(range(24))
# Every point of order 1, 2, 4 or 8 on the curve and its twist, as 32 bytes little-endian.
LOW_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
    "00" * 31 + "80",
]


def test_the_key_of_the_published_vector_from_both_sides() -> None:
    client = bytes([9]) * 32
    theirs = envelope.public_key(SERVER_SECRET)
    assert theirs.hex() == "d89e3bad79437dbed9f843418304f460ff05c7fe81fe4a9577a804cb9367ff66"
    for shared in (
        envelope.shared_secret(client, theirs, "envelope.sender_pubkey"),
        envelope.shared_secret(SERVER_SECRET, envelope.public_key(client), "envelope.sender_pubkey"),
    ):
        assert envelope.envelope_key(PEPPER, ALICE.id, shared) == KEY


def test_what_is_sealed_opens_for_the_same_user_alone() -> None:
    sealed = envelope.seal(KEY, ALICE.id, NONCE, b"identity")
    assert len(sealed) == len(b"identity") + 16
    assert envelope.unseal(KEY, ALICE.id, NONCE, sealed) == b"identity"
    for user, ciphertext in (
        (BOB.id, sealed),
        (ALICE.id, sealed[:-1] + b"x"),
        (ALICE.id, b""),
        (ALICE.id, b"x" * 15),
    ):
        with pytest.raises(InputRefused) as caught:
            envelope.unseal(KEY, user, NONCE, ciphertext)
        assert caught.value.message == "invalid input: unable to decrypt envelope"


@pytest.mark.parametrize("point", LOW_ORDER)
def test_invariant_4_a_key_of_low_order_is_refused(point: str) -> None:
    with pytest.raises(InputRefused) as caught:
        envelope.shared_secret(SERVER_SECRET, bytes.fromhex(point), "requester_ephemeral_pubkey_hex")
    assert caught.value.field == "requester_ephemeral_pubkey_hex"


def members(**changes: Any) -> dict[str, Any]:
    return strictjson.decode(ALICE.sealed(b"x").to_json(), limit=1000) | changes  # type: ignore[operator]


def test_the_json_is_read_as_it_is_written() -> None:
    sealed = ALICE.sealed()
    written = sealed.to_json()
    assert Envelope.from_object(strictjson.decode(written, limit=10_000)) == sealed
    assert msgspec.json.encode(msgspec.json.decode(written)) == written
    assert list(msgspec.json.decode(written)) == ["kid", "sender_pubkey", "nonce", "ciphertext"]


def test_upper_case_and_base64_without_padding_are_read() -> None:
    plain = Envelope.from_object(members())
    loud = {name: text.upper() for name, text in members().items() if name != "ciphertext"}
    bare = members()["ciphertext"].rstrip("=")
    assert bare != members()["ciphertext"]
    assert Envelope.from_object({**loud, "ciphertext": bare}) == plain


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kid": "00" * 7}, "envelope.kid"),
        ({"kid": 7}, "envelope.kid"),
        ({"kid": None}, "envelope.kid"),
        ({"sender_pubkey": "0x" + "00" * 31}, "envelope.sender_pubkey"),
        ({"sender_pubkey": " " * 64}, "envelope.sender_pubkey"),
        ({"nonce": "00" * 25}, "envelope.nonce"),
        ({"nonce": "é" * 48}, "envelope.nonce"),
        ({"ciphertext": "AA=A"}, "envelope.ciphertext"),
        ({"ciphertext": "A"}, "envelope.ciphertext"),
        ({"ciphertext": "QR=="}, "envelope.ciphertext"),
        ({"ciphertext": "QQ="}, "envelope.ciphertext"),
        ({"ciphertext": "QQ===="}, "envelope.ciphertext"),
        ({"ciphertext": "-_-_"}, "envelope.ciphertext"),
        ({"ciphertext": "Q Q=="}, "envelope.ciphertext"),
        ({"ciphertext": "QQ==\n"}, "envelope.ciphertext"),
        ({"ciphertext": "éé=="}, "envelope.ciphertext"),
        ({"ciphertext": []}, "envelope.ciphertext"),
        ({"more": 1}, "envelope"),
    ],
)
def test_what_is_refused_names_the_member(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputRefused) as caught:
        Envelope.from_object(members(**changes))
    assert caught.value.field == field


@pytest.mark.parametrize("value", [None, [], "x", ["00" * 8, "00" * 32, "00" * 24, "AAAA"]])
def test_an_envelope_is_an_object(value: object) -> None:
    with pytest.raises(InputRefused) as caught:
        Envelope.from_object(value)
    assert caught.value.field == "envelope"


def test_a_member_that_is_missing_is_named() -> None:
    found = members()
    del found["nonce"]
    with pytest.raises(InputRefused) as caught:
        Envelope.from_object(found)
    assert caught.value.field == "envelope.nonce"


def test_an_empty_ciphertext_is_read_and_does_not_open() -> None:
    assert Envelope.from_object(members(ciphertext="")).ciphertext == b""
    assert base64.b64encode(b"") == b""
