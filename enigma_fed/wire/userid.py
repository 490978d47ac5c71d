"""User ids of the registry, also called handles: the hash of a name (docs/REGISTRY.md)."""

from __future__ import annotations

import re
from typing import Final, Self

import msgspec

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.wire import blake3hash

_LABEL: Final = b"enigma:user_id:v1"
_BYTES: Final = 32
_CONTROL: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f]")
"""Unicode's control characters, all of them."""


class UserId(msgspec.Struct, frozen=True, order=True):
    """32 bytes; always of that length (invariant 4)."""

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != _BYTES:
            raise InputRefused("handle")

    @classmethod
    def parse(cls, text: str, field: str = "handle") -> Self:
        """Read 64 hexadecimal digits of either case; raises InputRefused that names the field."""
        # 64 characters make 32 bytes only if none of them is a space, which fromhex would skip.
        if len(text) == 2 * _BYTES:
            try:
                value = bytes.fromhex(text)
            except ValueError:
                raise InputRefused(field) from None
            if len(value) == _BYTES:
                return cls(value)
        raise InputRefused(field)

    @classmethod
    def of(cls, name: str, field: str = "name") -> Self:
        """The id of a name; raises InputRefused for one that `normalized` refuses."""
        return cls(blake3hash.digest(_LABEL + normalized(name, field).encode("utf-8")))

    @property
    def hex(self) -> str:
        """64 lower-case digits."""
        return self.value.hex()

    def __repr__(self) -> str:
        return "UserId(…)"  # a handle stands in no log and no traceback


def normalized(name: str, field: str = "name") -> str:
    """The name that is hashed: trimmed, 1 to 64 UTF-8 bytes, no control characters; raises InputRefused.

    Case, composition and a leading `@` are kept: they make different users.
    """
    if _CONTROL.search(name):
        raise InputRefused(field)  # before trimming: a line end at the end is an error too
    trimmed = name.strip()
    try:
        size = len(trimmed.encode("utf-8"))
    except UnicodeEncodeError:
        raise InputRefused(field) from None
    if not 0 < size <= registry_limits.USER_NAME_BYTES:
        raise InputRefused(field)
    return trimmed
