"""Checks of single values that a peer sent; each raises WireError naming the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enigma_fed.base.errors import WireError


def mapping(value: object, field: str) -> Mapping[str, Any]:
    """An object."""
    if not isinstance(value, Mapping):
        raise WireError(f"{field} must be an object")
    return value


def only(members: Mapping[str, Any], known: frozenset[str], field: str) -> None:
    """No member but the known ones."""
    if not known.issuperset(members):
        raise WireError(f"{field} has a member that is not known here")


def integer(value: object, field: str, largest: int) -> int:
    """An integer from 0 to `largest`; true and false are none."""
    if type(value) is not int or not 0 <= value <= largest:
        raise WireError(f"{field} must be an integer from 0 to {largest}")
    return value


def boolean(value: object, field: str) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise WireError(f"{field} must be true or false")
    return value


def octets(value: object, field: str, size: int) -> bytes:
    """A byte string of `size` bytes."""
    if not isinstance(value, bytes) or len(value) != size:
        raise WireError(f"{field} must be {size} bytes")
    return value
