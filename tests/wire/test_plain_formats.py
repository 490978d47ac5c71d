"""JSON, canonical JSON, base64url, hexadecimal, times: one text for each value, the rest refused."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import base64url, canonicaljson, hexadecimal, strictjson, timestamps

REFUSED_JSON: dict[str, bytes] = {
    "nothing": b"",
    "a member twice": b'{"a":1,"a":1}',
    "a member twice, deep": b'[{"b":{"a":1,"\\u0061":1}}]',
    "NaN": b"[NaN]",
    "infinity": b"[-Infinity]",
    "a number beyond doubles": b"[1e999]",
    "2^53": b"[9007199254740992]",
    "-2^53": b"[-9007199254740992]",
    "5000 digits": b"9" * 5000,
    "a lone surrogate": b'["\\ud800"]',
    "a lone surrogate as a name": b'{"\\udfff":1}',
    "a byte order mark": b"\xef\xbb\xbf[]",
    "UTF-16": "[]".encode("utf-16"),
    "Latin-1": b'["\xe9"]',
    "an overlong form": b'["\xc0\xaf"]',
    "a control character": b'["\x01"]',
    "a comma at the end": b"[1,]",
    "two values": b"{} {}",
    "single quotes": b"['a']",
    "a comment": b"[] // x",
    "too deep": b"[" * (limits.JSON_DEPTH + 1) + b"]" * (limits.JSON_DEPTH + 1),
    "far too deep": b"[" * 50_000,
    "too deep in objects": b'{"a":' * 20 + b"1" + b"}" * 20,
}


@pytest.mark.parametrize("name", REFUSED_JSON)
def test_json_that_is_refused(name: str) -> None:
    with pytest.raises(WireError):
        strictjson.decode(REFUSED_JSON[name], limit=100_000)


def test_json_at_its_bounds() -> None:
    deep = b"[" * limits.JSON_DEPTH + b"]" * limits.JSON_DEPTH
    assert strictjson.decode(deep, limit=100) is not None
    assert strictjson.decode(b"[9007199254740991,-9007199254740991]", limit=100) == [2**53 - 1, 1 - 2**53]
    assert strictjson.decode(b'["\\ud83d\\ude00"]', limit=100) == ["\U0001f600"]
    assert strictjson.decode(b"[ 1 ]", limit=5) == [1]
    with pytest.raises(WireError, match="larger than 4"):
        strictjson.decode(b"[ 1 ]", limit=4)


def test_large_integers_are_read_for_who_asks_for_them() -> None:
    digits = str(2**127)
    assert strictjson.decode(digits.encode(), limit=100, large_integers=True) == 2**127
    for data, large in ((digits, False), ("9" * 41, True)):
        with pytest.raises(WireError):
            strictjson.decode(data.encode(), limit=100, large_integers=large)


@given(st.binary())
def test_any_bytes_are_json_or_a_wire_error(data: bytes) -> None:
    try:
        value = strictjson.decode(data, limit=1000)
    except WireError:
        return
    assert strictjson.decode(strictjson.encode(value), limit=100_000) == value


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(plain_values)
def test_json_round_trip(value: Any) -> None:
    assert strictjson.decode(strictjson.encode([value]), limit=1_000_000) == [value]


def test_canonical_json_is_rfc_8785s() -> None:
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonicaljson.encode(value) == expected.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, {"a": "\ud800"}, {1: 2}])
def test_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(WireError):
        canonicaljson.encode(value)


@given(plain_values)
def test_canonical_json_is_one_text_for_a_value(value: Any) -> None:
    text = canonicaljson.encode(value)
    assert canonicaljson.encode(json.loads(text, parse_int=float)) == text


@given(st.binary())
def test_base64url_round_trip(data: bytes) -> None:
    text = base64url.encode(data)
    assert "=" not in text
    assert base64url.decode(text) == data


@pytest.mark.parametrize("text", ["A", "AB=", "AA==", "AB", "+/+/", "AA A", "AA\n", "\u212a\u212a", "AAAAA"])
def test_base64url_that_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        base64url.decode(text)


@given(st.text())
def test_any_text_is_base64url_or_a_wire_error(text: str) -> None:
    with contextlib.suppress(WireError):
        assert base64url.encode(base64url.decode(text)) == text


@given(st.binary(max_size=40))
def test_hexadecimal_round_trip(data: bytes) -> None:
    assert hexadecimal.decode(hexadecimal.encode(data), len(data)) == data


@pytest.mark.parametrize("text", ["", "0", "000", "0g", "AA", " 0", "0x", "\uff10\uff10"])
def test_hexadecimal_that_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        hexadecimal.decode(text, 1)


@pytest.mark.parametrize(
    ("text", "unix"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-20T08:49:00Z", 1795164540),
        ("2026-11-20T08:49:00.123456789+00:00", 1795164540),
        ("2026-11-20t09:49:00.9+01:00", 1795164540),
        ("2026-11-20 04:19:00-04:30", 1795164540),
        ("2016-12-31T23:59:60Z", 1483228800),
        ("9999-12-31T23:59:59Z", timestamps.UNIX_MAX),
    ],
)
def test_times_that_are_read(text: str, unix: int) -> None:
    assert timestamps.from_text(text) == unix


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-20",
        "2026-11-20T08:49:00",
        "2026-11-20T08:49Z",
        "2026-02-30T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T08:49:61Z",
        "2026-11-20T08:49:00.Z",
        "2026-11-20T08:49:00.1234567890Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "2026-11-20T08:49:00+99:99",
        " 2026-11-20T08:49:00Z",
        "\u0662\u0660\u0662\u0666-11-20T08:49:00Z",
    ],
)
def test_times_that_are_refused(text: str) -> None:
    with pytest.raises(WireError):
        timestamps.from_text(text)


@given(st.integers(0, timestamps.UNIX_MAX))
def test_time_round_trip(unix: int) -> None:
    assert timestamps.from_text(timestamps.to_text(unix)) == unix
