"""JSON from outside, read strictly: one meaning for every accepted text (docs/PROTOCOL.md, "All JSON")."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError

_INTEGER_CHARACTERS: Final = len(str(-limits.INTEGER_MAX))
_LARGE_INTEGER_CHARACTERS: Final = 40
"""Integers of 128 bits: no program writes longer ones, and reading them takes time."""
_LONG: Final = re.compile(rb"[0-9]{%d}" % (_INTEGER_CHARACTERS - 1))
_VERY_LONG: Final = re.compile(rb"[0-9]{%d}" % _LARGE_INTEGER_CHARACTERS)
"""What an integer that is too long has in it; few texts do."""
_CHECKED: Final = frozenset({str, dict, list})


def decode(data: bytes, *, limit: int, large_integers: bool = False) -> object:
    """Read UTF-8 JSON of at most `limit` bytes; raises WireError.

    Refused: duplicate members, NaN and infinities, lone surrogates, nesting beyond
    `limits.JSON_DEPTH`, integers beyond ±(2^53 - 1), a byte order mark. With `large_integers`
    such integers are read up to 40 characters: for the reader of each member to refuse.
    """
    if len(data) > limit:
        raise WireError(f"the JSON is larger than {limit} bytes")
    try:
        value: object = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_members,
            parse_int=_reader(data, large_integers),
            parse_float=_float,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        raise WireError("the JSON is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise WireError(f"not JSON at character {error.pos}") from None
    except RecursionError:
        raise _too_deep() from None
    _check(value, limits.JSON_DEPTH)
    return value


def encode(value: object) -> bytes:
    """Compact UTF-8 JSON of plain values, members in the order given."""
    return msgspec.json.encode(value)


def _reader(data: bytes, large_integers: bool) -> Callable[[str], int] | None:
    """What reads integers: a function of ours costs ten times what the library's own does."""
    long, read = (_VERY_LONG, _large_integer) if large_integers else (_LONG, _integer)
    return read if long.search(data) else None


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise WireError("a JSON object has a member twice")
    return members


def _integer(text: str) -> int:
    if len(text) <= _INTEGER_CHARACTERS:
        value = int(text)
        if -limits.INTEGER_MAX <= value <= limits.INTEGER_MAX:
            return value
    raise WireError("a JSON integer is beyond 2^53 - 1")


def _large_integer(text: str) -> int:
    if len(text) <= _LARGE_INTEGER_CHARACTERS:
        return int(text)
    raise WireError(f"a JSON integer has more than {_LARGE_INTEGER_CHARACTERS} characters")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise WireError("a JSON number is too large")
    return value


def _constant(text: str) -> NoReturn:
    raise WireError(f"{text} is not JSON")


def _check(value: object, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if depth == 0:
            raise _too_deep()
        for item in value.values() if isinstance(value, dict) else value:
            if type(item) in _CHECKED:
                _check(item, depth - 1)
        if isinstance(value, dict):
            for name in value:
                _check_text(name)


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise WireError("a JSON string holds half a character (a lone surrogate)") from None


def _too_deep() -> WireError:
    return WireError(f"the JSON is nested deeper than {limits.JSON_DEPTH}")
