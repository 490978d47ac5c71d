"""Checks of single values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from enigma_fed.base.errors import WireError
from enigma_fed.wire import values


def test_what_fits_is_given_back() -> None:
    assert values.mapping({"a": 1}, "x") == {"a": 1}
    values.only({"a": 1}, frozenset({"a", "b"}), "x")
    assert values.integer(7, "x", 7) == 7
    assert values.boolean(False, "x") is False
    assert values.octets(b"ab", "x", 2) == b"ab"


@pytest.mark.parametrize(
    "check",
    [
        lambda: values.mapping([], "x"),
        lambda: values.only({"c": 1}, frozenset({"a"}), "x"),
        lambda: values.integer(8, "x", 7),
        lambda: values.integer(-1, "x", 7),
        lambda: values.integer(True, "x", 7),
        lambda: values.integer(1.0, "x", 7),
        lambda: values.boolean(1, "x"),
        lambda: values.octets("ab", "x", 2),
        lambda: values.octets(b"a", "x", 2),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(check: Callable[[], Any]) -> None:
    with pytest.raises(WireError, match=r": x must |: x has "):
        check()
