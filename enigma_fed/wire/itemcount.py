"""How many values a body holds, counted before any is made: decoding takes its time per value."""

from __future__ import annotations

from typing import Final

from enigma_fed.base.errors import WireError

_JSON_MARKS: Final = (b",", b":", b"[", b"{")
_TEXTS: Final = (2, 3)
"""The major types of CBOR whose argument is followed by that many bytes: byte strings and texts."""
_WIDTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}
"""Bytes of a CBOR head's argument, by the low five bits of its first byte."""


def check(body: bytes, limit: int, *, binary: bool) -> None:
    """Raise WireError when a body, CBOR if `binary` and else JSON, may hold more than `limit` values."""
    if len(body) <= limit:
        return  # every value takes a byte at least
    if (_cbor(body, limit) if binary else _json(body)) > limit:
        raise WireError(f"it holds more than {limit} values")


def _json(body: bytes) -> int:
    """At least as many as there are values: each but the first stands behind a mark."""
    return 1 + sum(map(body.count, _JSON_MARKS))


def _cbor(body: bytes, limit: int) -> int:
    """How many heads there are, up to one more than the limit; nesting does not matter."""
    at = items = 0
    while at < len(body) and items <= limit:
        kind, argument = divmod(body[at], 32)
        at += 1
        if width := _WIDTHS.get(argument):
            argument = int.from_bytes(body[at : at + width], "big")
            at += width
        if kind in _TEXTS:
            at += argument
        items += 1
    return items
