"""The strict CBOR subset: RFC 8949 section 4.2.1, and what it refuses."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import cbor

LIMIT = limits.REQUEST_BYTES
NUMBERS = st.integers(-limits.INTEGER_MAX, limits.INTEGER_MAX)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | FLOATS | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.dictionaries(st.integers(0, 600), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_round_trip(value: object) -> None:
    try:
        data = cbor.encode(value)
    except WireError:
        return  # deeper than the limit
    assert cbor.decode(data, limit=len(data)) == value


@given(VALUES)
def test_only_the_deterministic_form_is_read(value: object) -> None:
    """Whatever the order of its keys and the size of its floats: the library's own sorting is the judge."""
    data = cbor2.dumps(value)
    try:
        expected = cbor.encode(value)
    except WireError:
        return  # deeper than the limit
    if data == expected:
        assert cbor.decode(data, limit=LIMIT) == value
    else:
        with pytest.raises(WireError, match="deterministic"):
            cbor.decode(data, limit=LIMIT)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_the_declared_error(data: bytes) -> None:
    try:
        value = cbor.decode(data, limit=LIMIT)
    except WireError:
        return
    assert cbor.encode(value) == data


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("20", -1),
        ("1b001fffffffffffff", 2**53 - 1),
        ("f90000", 0.0),
        ("f93c00", 1.0),
        ("fb3ff199999999999a", 1.1),
        ("f4", False),
        ("f6", None),
        ("4401020304", b"\x01\x02\x03\x04"),
        ("62c3bc", "ü"),
        ("a201020304", {1: 2, 3: 4}),
        ("826161a161626163", ["a", {"b": "c"}]),
    ],
)
def test_examples_of_the_rfc(data: str, value: object) -> None:
    assert cbor.decode(bytes.fromhex(data), limit=LIMIT) == value
    assert cbor.encode(value).hex() == data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("1801", id="integer not shortest"),
        pytest.param("fb3ff0000000000000", id="float not shortest"),
        pytest.param("a2616201616102", id="keys out of order"),
        pytest.param("a21901000017 00".replace(" ", ""), id="numbers out of order"),
        pytest.param("a262c3bc00616100", id="texts out of order, longer first"),
        pytest.param("a1616182 a2016100 0061 00".replace(" ", ""), id="out of order further in"),
        pytest.param("a10081fb3ff0000000000000", id="float not shortest further in"),
        pytest.param("a201010102", id="duplicate key"),
        pytest.param("a20101616102", id="mixed kinds of keys"),
        pytest.param("a12001", id="negative key"),
        pytest.param("a1f401", id="boolean key"),
        pytest.param("a1410101", id="byte string key"),
        pytest.param("9f01ff", id="indefinite array"),
        pytest.param("bf616101ff", id="indefinite map"),
        pytest.param("7f6161ff", id="indefinite text"),
        pytest.param("c1fb41d452d9e20000c0", id="date tag"),
        pytest.param("c249010000000000000000", id="bignum"),
        pytest.param("c48221196ab3", id="decimal fraction"),
        pytest.param("c5823a7fffffff01", id="bigfloat with a huge exponent"),
        pytest.param("d81c01", id="shared value"),
        pytest.param("d9010281 01".replace(" ", ""), id="set"),
        pytest.param("d823617b", id="regular expression"),
        pytest.param("d9d9f701", id="self-described"),
        pytest.param("d9ffff01", id="unknown tag"),
        pytest.param("f7", id="undefined"),
        pytest.param("e0", id="simple value"),
        pytest.param("f97c00", id="infinity"),
        pytest.param("f97e00", id="not a number"),
        pytest.param("1b0020000000000000", id="integer beyond 2^53 - 1"),
        pytest.param("3b001fffffffffffff", id="integer below -(2^53 - 1)"),
        pytest.param("62c328", id="broken UTF-8"),
        pytest.param("63eda080", id="surrogate"),
        pytest.param("0102", id="two values"),
        pytest.param("", id="nothing"),
        pytest.param("9b7fffffffffffffff", id="a length of an exbibyte"),
        pytest.param("81" * 9 + "01", id="too deep"),
        pytest.param("81" * 8 + "80", id="an empty array too deep"),
        pytest.param("81" * 8 + "a0", id="an empty map too deep"),
        pytest.param("81" * 60000, id="far too deep"),
    ],
)
def test_refused(data: str) -> None:
    with pytest.raises(WireError):
        cbor.decode(bytes.fromhex(data), limit=LIMIT)


def test_the_deepest_is_read_and_written() -> None:
    value: object = 1
    for _ in range(limits.CBOR_DEPTH):
        value = [value]
    assert cbor.decode(cbor.encode(value), limit=LIMIT) == value
    for deeper in ([value], {"a": value}):
        with pytest.raises(WireError, match="deeper than 8"):
            cbor.encode(deeper)


def test_more_bytes_than_the_limit_are_not_parsed() -> None:
    with pytest.raises(WireError, match="more than 2"):
        cbor.decode(b"\x83\x01\x02\x03", limit=2)


@pytest.mark.parametrize(
    "value", [float("nan"), 2**53, {1, 2}, {"a": object()}, {1: 1, "a": 1}, "\ud800", {"\ud800": 1}]
)
def test_what_the_subset_does_not_hold_is_not_encoded(value: object) -> None:
    with pytest.raises(WireError):
        cbor.encode(value)


def test_keys_are_in_the_order_of_their_bytes_also_beyond_23() -> None:
    keys = [0, 9, 23, 24, 255, 256, 511]
    data = cbor.encode(dict.fromkeys(reversed(keys), 0))
    assert list(cbor.decode(data, limit=LIMIT)) == keys  # type: ignore[call-overload]
