"""Proof of work: the challenge, the header that answers it, and when an answer is good (docs/REGISTRY.md).

A challenge is 16 bytes as 32 lower-case digits, as clients know it; inside it says when it ends, what it asks
for and, by its MAC alone, for which route. So a registry keeps none of those that it gave out.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Final

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import PowRequired

SALT_BYTES: Final = 4
_FORM: Final = struct.Struct(">4sIB")
_MAC_BYTES: Final = 7
_CHARACTERS: Final = 2 * (_FORM.size + _MAC_BYTES)
_DIGITS: Final = frozenset("0123456789abcdef")
_PERSON: Final = b"enigma-fed/pow/1"


def make(secret: bytes, salt: bytes, expires: int, difficulty: int, route: str | None) -> str:
    """The text of a challenge.

    `secret` is up to 64 bytes that only this server knows, `salt` 4 random bytes, `expires` a time in whole
    seconds below 2^32, `difficulty` a number of bits; without a route it is good for any.
    """
    said = _FORM.pack(salt, expires, difficulty)
    return (said + _mac(secret, said, route)).hex()


def read(secret: bytes, text: str, route: str | None) -> tuple[int, int] | None:
    """When a challenge ends and its difficulty; None if we did not give it out for that route."""
    if len(text) != _CHARACTERS or not _DIGITS.issuperset(text):
        return None
    data = bytes.fromhex(text)
    said = data[: _FORM.size]
    if not hmac.compare_digest(data[_FORM.size :], _mac(secret, said, route)):
        return None
    _, expires, difficulty = _FORM.unpack(said)
    return expires, difficulty


def _mac(secret: bytes, said: bytes, route: str | None) -> bytes:
    bound = said if route is None else said + route.encode("utf-8", "surrogateescape")
    return hashlib.blake2b(bound, key=secret, digest_size=_MAC_BYTES, person=_PERSON).digest()


def split(header: str) -> tuple[str, str]:
    """Challenge and solution of a header `x-enigma-pow`; raises PowRequired for one that has no such form."""
    challenge, _, solution = header.partition(":")
    if len(header) > registry_limits.POW_HEADER_CHARACTERS or not challenge or not solution:
        raise PowRequired
    return challenge, solution


def meets(challenge: str, solution: str, difficulty: int) -> bool:
    """Whether SHA-256 of both texts begins with `difficulty` zero bits, 0 to 256."""
    return int.from_bytes(digest(challenge, solution), "big").bit_length() <= 256 - difficulty


def digest(challenge: str, solution: str) -> bytes:
    """SHA-256 of both texts, nothing between them."""
    return hashlib.sha256((challenge + solution).encode("utf-8", "surrogateescape")).digest()
