"""Formats from outside: what is just at a limit is read, one past it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError
from enigma_fed.base.ids import parse_node_name
from enigma_fed.wire import cbor, httpsig, invite, jsonrpc, snapshot, strictjson, structured
from enigma_fed.wire.jsonrpc import BodyForm
from enigma_fed.wire.websocket import FrameReader
from tests.support import invitevectors
from tests.support.signedcalls import key, signed_fields

A, B = key(1), key(2)
Try: TypeAlias = Callable[[int], object]


def _request(**changes: Any) -> Callable[[], object]:
    fields = signed_fields(A, B.did, b"", 1_000_000, **changes)
    return lambda: httpsig.read_request(fields, BodyForm.JSON.value)


def _lifetime(seconds: int) -> object:
    fields = signed_fields(A, B.did, b"", 1_000_000)
    said = fields[httpsig.SIGNATURE_INPUT]
    fields[httpsig.SIGNATURE_INPUT] = said.replace("expires=1000060", f"expires={1_000_000 + seconds}")
    return httpsig.read_request(fields, BodyForm.JSON.value)


def _code(size: int) -> object:
    members = json.dumps(invitevectors.members())
    return invite.decode(invitevectors.raw(members[:-1] + " " * (size - len(members)) + "}"))


def _lan(count: int) -> object:
    return invite.decode(invitevectors.signed(lan=[f"192.0.2.{number}:80" for number in range(count)]))


def _apps(count: int) -> object:
    apps = [{"id": str(number), "status": "up"} for number in range(count)]
    return snapshot.snapshot_from_object({"apps": apps})


def _app_field(size: int) -> object:
    return snapshot.snapshot_from_object(
        {"apps": [{"id": "é" * (size // 2) + "a" * (size % 2), "status": "up"}]}
    )


def _cbor_depth(depth: int) -> object:
    return cbor.decode(b"\x81" * (depth - 1) + b"\x80", limit=100)


def _call(**members: Any) -> object:
    return jsonrpc.decode_call(BodyForm.JSON, strictjson.encode({"jsonrpc": "2.0", "id": 1} | members))


def _items(form: BodyForm) -> Try:
    return lambda count: form.decode(form.encode([7] * (count - 1)), limits.REPLY_BYTES)


LARGEST: Final[dict[str, Try]] = {
    "INVITE_BYTES": _code,
    "JSON_DEPTH": lambda depth: strictjson.decode(b"[" * depth + b"]" * depth, limit=100),
    "CBOR_DEPTH": _cbor_depth,
    "INTEGER_MAX": lambda value: strictjson.decode(b"%d" % value, limit=100),
    "NODE_NAME_BYTES": lambda size: parse_node_name("é" * (size // 2) + "a" * (size % 2)),
    "NAME_MARKS": lambda count: parse_node_name("a" + "\u0301" * count),
    "APPS_PER_STATE": _apps,
    "APP_FIELD_BYTES": _app_field,
    "LAN_ADDRESSES": _lan,
    "SIGNATURE_LIFETIME": _lifetime,
    "NONCE_CHARACTERS_MAX": lambda size: _request(nonce="n" * size)(),
    "CHALLENGE_CHARACTERS": lambda size: _request(challenge="c" * size)(),
    "METHOD_CHARACTERS": lambda size: _call(method="m" * size),
    "CALL_ID_CHARACTERS": lambda size: _call(method="m", id="i" * size),
    "BODY_ITEMS": _items(BodyForm.JSON),
    "STREAM_MESSAGE_BYTES": lambda size: list(
        FrameReader(limits.STREAM_MESSAGE_BYTES).feed(bytes((0x82, 0x80 | size)) + bytes(4 + size))
    ),
    "SIGNATURE_INPUT_BYTES": lambda size: structured.parse_inner_list(
        'a=("x")' + ";" + "k=1".rjust(size - 8), "a"
    ),
}


@pytest.mark.parametrize("name", LARGEST)
def test_invariant_7_at_the_limit_and_one_past_it(name: str) -> None:
    bound = getattr(limits, name)
    LARGEST[name](bound)
    with pytest.raises(EnigmaError):
        LARGEST[name](bound + 1)


def test_a_nonce_has_a_least_length() -> None:
    _request(nonce="n" * limits.NONCE_CHARACTERS_MIN)()
    with pytest.raises(EnigmaError):
        _request(nonce="n" * (limits.NONCE_CHARACTERS_MIN - 1))()


def test_numbers_have_a_least_value_too_and_so_has_cbor() -> None:
    for value in (limits.INTEGER_MAX, -limits.INTEGER_MAX):
        assert strictjson.decode(b"%d" % value, limit=100) == cbor.decode(cbor.encode(value), limit=100)
    for text in (b"%d" % (-limits.INTEGER_MAX - 1), b"1" * 5000):
        with pytest.raises(EnigmaError):
            strictjson.decode(text, limit=10_000)
    for data in ("1b0020000000000000", "3b001fffffffffffff", "1bffffffffffffffff"):
        with pytest.raises(EnigmaError):
            cbor.decode(bytes.fromhex(data), limit=100)


def test_binary_bodies_have_as_many_values_as_text() -> None:
    _items(BodyForm.CBOR)(limits.BODY_ITEMS)
    with pytest.raises(EnigmaError):
        _items(BodyForm.CBOR)(limits.BODY_ITEMS + 1)
