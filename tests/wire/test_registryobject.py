"""Members of a registry's JSON objects; what the readers refuse is in the tests of the bodies too."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from enigma_fed.base.registry_errors import InputRefused, TooLarge
from enigma_fed.wire import registryobject as read


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    count: int


DECODE = msgspec.json.Decoder(Pair).decode


def test_only_the_compact_text_of_a_value_is_read_the_short_way() -> None:
    assert read.compact(DECODE, b'{"name":"a","count":1}') == Pair("a", 1)


@pytest.mark.parametrize(
    "text",
    [
        b'{"name":"a","name":"a","count":1}',
        b'{"name":"b","count":1,"name":"a"}',
        b'{"name": "a","count":1}',
        b'{"count":1,"name":"a"}',
        b'{"name":"a","count":1,"more":1}',
        b'{"name":"a","count":1.0}',
        b'{"name":"a","count":-0}',
        b'{"name":"\\u0061","count":1}',
        b'{"name":"\\ud800","count":1}',
        b'{"name":"a","count":1}\n',
        b'{"name":"a"}',
        b'{"name":"\xff","count":1}',
        b"[" * 100_000,
        b"",
    ],
)
def test_every_other_text_takes_the_long_way(text: bytes) -> None:
    assert read.compact(DECODE, text) is None


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b'{"a":1,"a":1}', b"[" * 1000, b"\xff", b"NaN", b'"\\ud800"', b"1" * 41, b"\xef\xbb\xbf{}"],
)
def test_what_is_no_json_of_the_allowed_kind(text: bytes) -> None:
    with pytest.raises(InputRefused) as caught:
        read.body(text, 2000)
    assert (caught.value.field, caught.value.message) == (
        "body",
        "invalid input: body is not JSON of the allowed kind",
    )


def test_invariant_7_one_byte_too_many_is_not_looked_at() -> None:
    assert read.body(b"[1]", 3) == [1]
    with pytest.raises(TooLarge):
        read.body(b"[1] ", 3)


@pytest.mark.parametrize(
    "take",
    [
        lambda: read.boolean({"x": 1}, "x"),
        lambda: read.items({"x": {}}, "x"),
        lambda: read.integer({"x": True}, "x"),
        lambda: read.integer({"x": 0}, "x", least=1),
        lambda: read.optional_integer({"x": "1"}, "x"),
        lambda: read.text({"x": None}, "x"),
        lambda: read.octets({"x": [1, "2"]}, "x", "body"),
    ],
)
def test_a_member_of_another_kind(take: Callable[[], object]) -> None:
    with pytest.raises(InputRefused) as caught:
        take()
    assert caught.value.field == "x"


def test_a_member_of_the_right_kind() -> None:
    assert read.boolean({"x": False}, "x") is False
    assert read.optional_integer({"x": None}, "x") is None
    assert read.optional_integer({}, "x") is None
    assert read.optional_integer({"x": 2**64 - 1}, "x") == 2**64 - 1
