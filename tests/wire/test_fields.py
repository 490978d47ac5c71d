"""Members read by type: the name in the error, and no value that only looks like the type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from enigma_fed.base.errors import WireError
from enigma_fed.wire import fields
from enigma_fed.wire.records import TrustLevel
from tests.support.identities import did, onion


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        (fields.text, "x", [None, 1, True, [], b"x"]),
        (fields.integer, 7, [None, True, 1.0, -1, 2**53, "7"]),
        (fields.number, 1.5, [None, True, "1.5", []]),
        (fields.time, "1970-01-01T00:00:07Z", [None, 7, "7"]),
        (fields.did, str(did(1)), [None, did(1).url, b"did"]),
        (fields.onion, str(onion(1)), [None, str(onion(1))[:56], 1]),
        (fields.node_name, "attic", [None, "", "a\x1b", 1]),
        (lambda m, n: fields.hexadecimals(m, n, 1), "ff", [None, "FF", "f", "ffff", 255]),
        (lambda m, n: fields.choice(TrustLevel, m, n), "observer", [None, "root", "Observer", 1]),
        (fields.boolean, True, [0, 1, "true"]),
        (fields.items, [], [{}, "x", ()]),
    ],
)
def test_a_member_is_of_its_type_or_the_error_names_it(
    read: Callable[[fields.Object, str], Any], good: object, bad: list[object]
) -> None:
    read({"member": good}, "member")
    for value in bad:
        with pytest.raises(WireError, match="member"):
            read({"member": value}, "member")


def test_what_may_be_absent() -> None:
    assert fields.optional(fields.text, {}, "x") is None
    assert fields.optional(fields.text, {"x": None}, "x") is None
    assert fields.boolean({}, "x") is False
    assert fields.items({}, "x") == []
    with pytest.raises(WireError, match="x"):
        fields.items({}, "x", required=True)


def test_an_object_has_text_names() -> None:
    assert fields.mapping({"a": 1}, "it") == {"a": 1}
    for value in (None, [], "x", {1: 1}, {b"a": 1}):
        with pytest.raises(WireError, match="it"):
            fields.mapping(value, "it")
