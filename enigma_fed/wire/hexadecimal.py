"""Lower-case hexadecimal of a known size."""

from __future__ import annotations

import re
from typing import Final

from enigma_fed.base.errors import WireError

_DIGITS: Final = re.compile(r"[0-9a-f]*", re.ASCII)


def encode(data: bytes) -> str:
    """Two lower-case digits per byte."""
    return data.hex()


def decode(text: str, size: int) -> bytes:
    """Exactly `size` bytes; raises WireError for another length, upper case or other characters."""
    if len(text) != 2 * size or _DIGITS.fullmatch(text) is None:
        raise WireError(f"not {2 * size} lower-case hexadecimal digits")
    return bytes.fromhex(text)
