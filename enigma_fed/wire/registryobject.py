"""Members of the registry's JSON objects, read strictly: what is refused names the member it is in.

Nothing of what a stranger sent stands in an error: an unknown member is told by the object that it is in.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping
from typing import Final, TypeVar, cast

import msgspec

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.registry_errors import InputRefused, TooLarge
from enigma_fed.wire import itemcount, strictjson

Object = Mapping[str, object]
R = TypeVar("R", bound=msgspec.Struct)
UNSIGNED_64: Final = 2**64 - 1
UNSIGNED_32: Final = 2**32 - 1
_INTEGERS: Final = frozenset({int})
_ENCODE: Final = msgspec.json.Encoder().encode


def compact(decode: Callable[[bytes], R], data: bytes) -> R | None:
    """`data` read by a typed decoder, if it is the compact text of exactly that value; else None.

    Clients send that form, and it is read ten times as fast as any other. Written again it is the same, so
    nothing in it was twice, unknown, or a number of another form.
    """
    try:
        value = decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return value if _ENCODE(value) == data else None


def shortly(decode: Callable[[bytes], R], data: bytes) -> Object | None:
    """The members of such a text, None for any other."""
    value = compact(decode, data)
    return None if value is None else msgspec.structs.asdict(value)


def body(
    data: bytes, limit: int, field: str = "body", *, values: int = registry_limits.REGISTRY_VALUES
) -> object:
    """Any JSON text of at most `limit` bytes with at most `values` values; raises TooLarge, InputRefused."""
    if len(data) > limit:
        raise TooLarge
    try:
        itemcount.check(data, values, binary=False)
        return strictjson.decode(data, limit=limit, large_integers=True)
    except WireError:
        raise InputRefused(field, f"{field.partition('.')[0]} is not JSON of the allowed kind") from None


def members(
    value: object, field: str, required: frozenset[str], optional: frozenset[str] = frozenset()
) -> Object:
    """An object with all the required members and no unknown one; raises InputRefused."""
    if not isinstance(value, dict):
        raise InputRefused(field)
    names = value.keys()
    missing = sorted(required - names)
    if missing:
        raise InputRefused(within(field, missing[0]))
    if len(names) > len(required) and not names <= required | optional:
        raise InputRefused(field, f"{field} has an unknown member")
    return cast(Object, value)


def within(field: str, name: str) -> str:
    """The path of a member; those of the body have their names alone."""
    return name if field == "body" else f"{field}.{name}"


def text(found: Object, name: str, field: str = "body") -> str:
    """A member that is text."""
    value = found[name]
    if not isinstance(value, str):
        raise InputRefused(within(field, name))
    return value


def integer(found: Object, name: str, field: str = "body", *, least: int = 0, most: int = UNSIGNED_64) -> int:
    """A member that is an integer from `least` to `most`; `1.0` and `true` are none."""
    value = found[name]
    if type(value) is not int or not least <= value <= most:
        raise InputRefused(within(field, name))
    return value


def optional_integer(found: Object, name: str, field: str = "body", *, most: int = UNSIGNED_64) -> int | None:
    """The same; None for a member that is absent or null."""
    return None if found.get(name) is None else integer(found, name, field, most=most)


def boolean(found: Object, name: str, field: str = "body") -> bool:
    """A member that is true or false."""
    value = found[name]
    if not isinstance(value, bool):
        raise InputRefused(within(field, name))
    return value


def items(found: Object, name: str, field: str = "body") -> list[object]:
    """A member that is a list."""
    value = found[name]
    if not isinstance(value, list):
        raise InputRefused(within(field, name))
    return value


def octets(found: Object, name: str, field: str, size: int | None = None) -> bytes:
    """A member that is a list of integers from 0 to 255, `size` of them."""
    value = items(found, name, field)
    if _INTEGERS.issuperset(map(type, value)) and (size is None or len(value) == size):
        try:
            return bytes(cast("list[int]", value))
        except ValueError:  # beyond 0 to 255
            pass
    raise InputRefused(within(field, name))


def hexadecimal(digits: str, size: int, field: str) -> bytes:
    """Exactly `size` bytes as digits of either case; raises InputRefused that names the field."""
    if len(digits) == 2 * size:
        try:
            value = bytes.fromhex(digits)  # it skips spaces, and then finds too few bytes
        except ValueError:
            raise InputRefused(field) from None
        if len(value) == size:
            return value
    raise InputRefused(field)


def standard_base64(digits: str, field: str) -> bytes:
    """Base64 of the standard alphabet, with all its padding or none; raises InputRefused with the field."""
    padded = digits if digits.endswith("=") else digits + "=" * (-len(digits) % 4)
    try:
        value = binascii.a2b_base64(padded)
        # The library skips what is not of the alphabet, and bits that are left over.
        if binascii.b2a_base64(value, newline=False) == padded.encode("ascii"):
            return value
    except ValueError:
        pass
    raise InputRefused(field)
