"""Deterministic CBOR (RFC 8949 section 4.2.1), the strict subset used between nodes (PROTOCOL section 2).

Allowed: null, booleans, integers up to ± (2^53 - 1), finite floats, byte and text strings,
arrays, and maps whose keys are all text or all non-negative integers. Refused: tags,
indefinite lengths, duplicate keys, other simple values, and any form but the shortest.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from types import MappingProxyType
from typing import Any, Final, NoReturn

import cbor2

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError

# What the library would turn into Python objects by itself; other tags come out as CBORTag.
_KNOWN_TAGS: Final = (
    *range(6), 25, *range(28, 31), *range(35, 38), 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799,
)  # fmt: skip
_CONTAINERS: Final = frozenset({dict, list, tuple})
_TEXT_KEYS: Final = frozenset({str})


def encode(value: object) -> bytes:
    """The one deterministic encoding of `value`; raises WireError for what the subset does not hold."""
    _check(value, 0)
    return cbor2.dumps(value, canonical=True)


def encode_checked(value: object) -> bytes:
    """As `encode`, twice as fast, of a value that is known to be of the subset.

    Its maps have their keys in deterministic order already, and it holds no float.
    """
    return cbor2.dumps(value)


def decode(data: bytes, *, limit: int) -> object:
    """Read one value of at most `limit` bytes; raises WireError unless re-encoding gives the same bytes."""
    if len(data) > limit:
        raise WireError(f"the CBOR has {len(data)} bytes, more than {limit}")
    value = _load(data)
    # The library's sorting takes three times as long as its writing, and most bodies need none.
    if cbor2.dumps(value, canonical=not _check(value, 0)) != data:
        raise WireError("the CBOR is not in its deterministic form")
    return value


def _refuse_tag(*_: object) -> NoReturn:
    raise ValueError("tags are not allowed")


_NO_TAGS: Final = MappingProxyType(dict.fromkeys(_KNOWN_TAGS, _refuse_tag))


def _load(data: bytes) -> Any:
    try:
        return cbor2.loads(
            data,
            semantic_decoders=_NO_TAGS,
            max_depth=limits.CBOR_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError):
        raise WireError("the body is not CBOR of the allowed kind") from None


def _check(value: Any, depth: int) -> bool:
    """Raise WireError unless `value` and all in it belong to the subset.

    Whether plain encoding gives the deterministic form: all keys are sorted, and there is no float.
    """
    kind = type(value)
    if kind not in _CONTAINERS:
        _check_scalar(value)
        return kind is not float
    if depth >= limits.CBOR_DEPTH:
        raise WireError(f"the CBOR is nested deeper than {limits.CBOR_DEPTH}")
    in_order, items = True, value
    if kind is dict:
        in_order, items = _check_keys(value), value.values()
    for item in items:
        if not _check(item, depth + 1):
            in_order = False
    return in_order


def _check_keys(keys: Collection[Any]) -> bool:
    """Raise WireError unless keys are all text or all small integers; whether they are in order."""
    if _TEXT_KEYS.issuperset(map(type, keys)):
        try:
            texts = [key.encode() for key in keys]
        except UnicodeEncodeError:
            raise WireError("a text is not valid Unicode") from None
        return texts == sorted(sorted(texts), key=len)
    if not all(type(key) is int and 0 <= key <= limits.INTEGER_MAX for key in keys):
        raise WireError("the keys of a CBOR map must be all text or all small integers")
    return list(keys) == sorted(keys)


def _check_scalar(value: object) -> None:
    kind = type(value)
    if kind is int:
        if not -limits.INTEGER_MAX <= value <= limits.INTEGER_MAX:  # type: ignore[operator]
            raise WireError("an integer is beyond 2^53 - 1")
    elif kind is float:
        if not math.isfinite(value):  # type: ignore[arg-type]
            raise WireError("a number is not finite")
    elif kind is str:
        if not value.isascii() and not _is_unicode(value):  # type: ignore[attr-defined,arg-type]
            raise WireError("a text is not valid Unicode")
    elif not (value is None or kind is bool or kind is bytes):
        raise WireError(f"the CBOR holds a value that is not allowed ({kind.__name__})")


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
