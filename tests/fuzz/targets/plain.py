"""The plain formats of wire/: JSON, CBOR, base64url, hexadecimal, times, keys in PEM."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import (
    base64url,
    canonicaljson,
    cbor,
    hexadecimal,
    itemcount,
    pem,
    strictjson,
    timestamps,
)
from tests.fuzz.target import REFUSED, Form, Target, attempt, header_text, to_bytes

_ROOMY: Final = 1 << 24
_JSON: Final = (
    *(b"[]", b"{}", b"null", b'"x"', b"-0", b"1.5e3", b"9007199254740991", b'["\\ud83d\\ude00"]'),
    b'{"a":[1,-2,3.25,true,false,null,"\xc3\xbc"],"b":{"c":{}}}',
    b"[" * 16 + b"]" * 16,
    *(
        b"[NaN]",
        b'{"a":1,"\\u0061":2}',
        b"[1e999]",
        b"9007199254740992",
        b'["\\ud800"]',
        b"[" * 17,
        b"9" * 40,
    ),
    b"\xef\xbb\xbf[]",
)


def strict_json(data: bytes) -> bool:
    """What is accepted is read back the same, and lies within the limits."""
    value = attempt(lambda: strictjson.decode(data, limit=limits.REQUEST_BYTES), WireError)
    if value is REFUSED:
        return False
    assert depth(value) <= limits.JSON_DEPTH
    assert strictjson.decode(strictjson.encode(value), limit=_ROOMY) == value
    return True


def large_integers(data: bytes) -> bool:
    """Files are read with large integers: text that is kept of them says the same."""
    value = attempt(
        lambda: strictjson.decode(data, limit=limits.REQUEST_BYTES, large_integers=True), WireError
    )
    if value is REFUSED:
        return False
    assert strictjson.decode(strictjson.encode(value), limit=_ROOMY, large_integers=True) == value
    return True


def canonical_json(data: bytes) -> bool:
    """The canonical form of a canonical form is itself, numbers read as the doubles that they are."""
    value = attempt(lambda: strictjson.decode(data, limit=limits.INVITE_BYTES), WireError)
    text = attempt(lambda: canonicaljson.encode(value), WireError) if value is not REFUSED else REFUSED
    if not isinstance(text, bytes):
        return False
    assert canonicaljson.encode(json.loads(text, parse_int=float)) == text
    return True


def deterministic_cbor(data: bytes) -> bool:
    """Whatever is accepted is the one encoding of its value."""
    value = attempt(lambda: cbor.decode(data, limit=limits.REQUEST_BYTES), WireError)
    if value is REFUSED:
        return False
    assert depth(value) <= limits.CBOR_DEPTH
    assert cbor.encode(value) == data
    return True


def items_of_json(data: bytes) -> bool:
    """A body that passes with a limit holds no more values than that."""
    value = attempt(lambda: strictjson.decode(data, limit=limits.REQUEST_BYTES), WireError)
    limit = 8
    if attempt(lambda: itemcount.check(data, limit, binary=False), WireError) is REFUSED or value is REFUSED:
        return False
    assert count(value) <= limit
    return True


def items_of_cbor(data: bytes) -> bool:
    """The count of a CBOR body is exact."""
    value = attempt(lambda: cbor.decode(data, limit=limits.REQUEST_BYTES), WireError)
    attempt(lambda: itemcount.check(data, 8, binary=True), WireError)
    if value is REFUSED:
        return False
    exact = count(value)
    itemcount.check(data, exact, binary=True)
    if len(data) > exact - 1:
        assert attempt(lambda: itemcount.check(data, exact - 1, binary=True), WireError) is REFUSED
    return True


def base64url_text(data: bytes) -> bool:
    """There is one text for each byte string."""
    text = header_text(data)
    value = attempt(lambda: base64url.decode(text), WireError)
    if not isinstance(value, bytes):
        return False
    assert base64url.encode(value) == text
    return True


def hexadecimal_text(data: bytes) -> bool:
    """There is one text for each byte string."""
    text = header_text(data)
    value = attempt(lambda: hexadecimal.decode(text, 4), WireError)
    if not isinstance(value, bytes):
        return False
    assert hexadecimal.encode(value) == text
    return True


def time_text(data: bytes) -> bool:
    """A time that is read can be written, and is the same second."""
    unix = attempt(lambda: timestamps.from_text(header_text(data)), WireError)
    if not isinstance(unix, int):
        return False
    assert 0 <= unix <= timestamps.UNIX_MAX
    assert timestamps.from_text(timestamps.to_text(unix)) == unix
    return True


def key_in_pem(data: bytes) -> bool:
    """There is one text for each seed, white space around it and line ends apart."""
    seed = attempt(lambda: pem.decode_seed(data), WireError)
    if not isinstance(seed, bytes):
        return False
    assert pem.encode_seed(seed).strip() == data.replace(b"\r\n", b"\n").strip()
    return True


def depth(value: object) -> int:
    """How deep lists and objects are nested; 0 for a plain value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def count(value: object) -> int:
    """Values in a value, itself and keys included."""
    if isinstance(value, dict):
        return 1 + len(value) + sum(map(count, value.values()))
    return 1 + sum(map(count, value)) if isinstance(value, list) else 1


def _json_seeds() -> Iterable[bytes]:
    return _JSON


def _cbor_seeds() -> Iterable[bytes]:
    good: list[object] = [
        0,
        -1,
        24,
        2**53 - 1,
        1.5,
        1.1,
        True,
        None,
        "é",
        b"\0",
        [1, [2]],
        {"a": 1, "b": [b"x"]},
    ]
    yield from (cbor.encode(value) for value in (*good, {0: "attic", 1: [["x", "y", None]], 300: 1.25}))
    yield cbor.encode([[[[[[[[1]]]]]]]])
    refused = (
        "1801 a2616201616102 a201010102 9f01ff c249010000000000000000 f97e00 f7 9b7fffffffffffffff d81c01"
    )
    yield from (bytes.fromhex(word) for word in refused.split())


def _time_seeds() -> Iterable[bytes]:
    yield from (b"2026-11-20T08:49:00Z", b"2026-11-20 04:19:00.123456789-04:30", b"2016-12-31T23:59:60Z")
    yield from (b"1970-01-01T00:00:00Z", b"9999-12-31T23:59:59-01:00", b"2026-02-30T00:00:00Z", b"2026-11-20")


def _pem_seeds() -> Iterable[bytes]:
    good = pem.encode_seed(bytes(range(32)))
    yield from (good, good.replace(b"\n", b"\r\n"), good[:-30], good.replace(b"\n-----END", b"==\n-----END"))


TARGETS: Final = (
    Target("strictjson", strict_json, _json_seeds, Form.JSON),
    Target("strictjson-large-integers", large_integers, _json_seeds, Form.JSON),
    Target("canonicaljson", canonical_json, _json_seeds, Form.JSON),
    Target("cbor", deterministic_cbor, _cbor_seeds, Form.CBOR),
    Target("itemcount-json", items_of_json, _json_seeds, Form.JSON),
    Target("itemcount-cbor", items_of_cbor, _cbor_seeds, Form.CBOR),
    Target(
        "base64url", base64url_text, lambda: map(to_bytes, ("", "AA", "AAECAw", "-_-_", "AB", "A=", "+/"))
    ),
    Target("hexadecimal", hexadecimal_text, lambda: (b"00ff10ab", b"00FF10AB", b"00ff10a", b"00ff10ag")),
    Target("timestamps", time_text, _time_seeds, longest=64),
    Target("pem", key_in_pem, _pem_seeds, longest=256),
)
