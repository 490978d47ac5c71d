"""Members of JSON and CBOR objects, read by type; every error names the member."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar, cast

from enigma_fed.base import limits
from enigma_fed.base.errors import InputError, WireError
from enigma_fed.base.ids import Did, OnionAddress, parse_node_name
from enigma_fed.wire import hexadecimal, timestamps

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

Object = Mapping[str, object]


def mapping(value: object, what: str) -> Object:
    """The value as an object with text names; raises WireError."""
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise WireError(f"{what}: not an object")
    return cast(Object, value)


def text(members: Object, name: str) -> str:
    """A member that must be there and be text."""
    value = _required(members, name)
    if not isinstance(value, str):
        raise WireError(f"{name}: not text")
    return value


def integer(members: Object, name: str, *, most: int = limits.INTEGER_MAX) -> int:
    """A member that must be an integer from 0 to `most`; `1.0` and `true` are none."""
    value = _required(members, name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WireError(f"{name}: not an integer")
    if not 0 <= value <= most:
        raise WireError(f"{name}: not between 0 and {most}")
    return value


def boolean(members: Object, name: str) -> bool:
    """A member that is true or false; absent or null means false."""
    value = members.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise WireError(f"{name}: not true or false")
    return value


def number(members: Object, name: str) -> float:
    """A member that must be a number."""
    value = _required(members, name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise WireError(f"{name}: not a number")
    return float(value)


def items(members: Object, name: str, *, required: bool = False) -> list[object]:
    """A member that is a list; absent means empty unless `required`."""
    value = members.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list):
        raise WireError(f"{name}: not a list")
    return value


def optional(read: Callable[[Object, str], T], members: Object, name: str) -> T | None:
    """What `read` gives, or None for a member that is absent or null."""
    return None if members.get(name) is None else read(members, name)


def time(members: Object, name: str) -> int:
    """A member that is an RFC 3339 time, as Unix seconds."""
    return named(name, timestamps.from_text, text(members, name))


def hexadecimals(members: Object, name: str, size: int) -> bytes:
    """A member of `2 * size` lower-case hexadecimal digits."""
    return named(name, lambda digits: hexadecimal.decode(digits, size), text(members, name))


def did(members: Object, name: str) -> Did:
    """A member that is a DID (invariant 4)."""
    return named(name, Did.parse, text(members, name))


def onion(members: Object, name: str) -> OnionAddress:
    """A member that is an onion address (invariant 4)."""
    return named(name, OnionAddress.parse, text(members, name))


def node_name(members: Object, name: str) -> str:
    """A member that is the name of a node."""
    return named(name, parse_node_name, text(members, name))


def choice(kind: type[E], members: Object, name: str) -> E:
    """A member that is one of the words of `kind`."""
    word = text(members, name)
    try:
        return kind(word)
    except ValueError:
        raise WireError(f"{name}: not one of {', '.join(kind)}") from None


def identity(members: Object) -> Did:
    """The `did` of an object whose `pubkey` must be the same key (invariant 4)."""
    node = did(members, "did")
    if hexadecimals(members, "pubkey", 32) != node.public_key:
        raise WireError("pubkey: not the key of the DID")
    return node


def named(name: str, read: Callable[[str], T], value: str) -> T:
    """What `read` makes of the text; its error gets the member's name and becomes a WireError."""
    try:
        return read(value)
    except (InputError, WireError) as error:
        raise WireError(f"{name}: {error.detail or error.what}") from None


def _required(members: Object, name: str) -> object:
    value = members.get(name)
    if value is None:
        raise WireError(f"{name}: missing")
    return value
