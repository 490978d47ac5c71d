"""Stateless challenges: a MAC by a key of this start, for one caller and one nonce (PROTOCOL section 1)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire import base64url

_TIME_BYTES: Final = 8
_MAC_BYTES: Final = 24
_PERSON: Final = b"fed challenge v1"


class Challenger:
    """Issues and checks challenges; `secret` is 32 random bytes of this start, times are boot-clock seconds.

    Nothing is stored: after a restart every challenge of before is void, which is what makes
    it answer a replay of an older run.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def issue(self, public_key: bytes, nonce: str, now: float) -> str:
        """A challenge of 43 characters for one caller and one nonce."""
        issued = int(now * 1000).to_bytes(_TIME_BYTES, "big")
        return base64url.encode(issued + self._mac(issued, public_key, nonce))

    def holds(self, challenge: str, public_key: bytes, nonce: str, now: float) -> bool:
        """Whether this start issued it for that caller and nonce within the last 30 s."""
        try:
            raw = base64url.decode(challenge)
        except WireError:
            return False
        issued, mac = raw[:_TIME_BYTES], raw[_TIME_BYTES:]
        if not hmac.compare_digest(mac, self._mac(issued, public_key, nonce)):
            return False
        age = now - int.from_bytes(issued, "big") / 1000
        return 0 <= age <= limits.CHALLENGE_LIFETIME

    def _mac(self, issued: bytes, public_key: bytes, nonce: str) -> bytes:
        message = issued + public_key + nonce.encode("ascii")
        return hashlib.blake2b(message, key=self._secret, digest_size=_MAC_BYTES, person=_PERSON).digest()
