"""How a registry's identities lie on the disk: found by a blind index, sealed (docs/REGISTRY.md section 9).

Both hang on keys that never leave the server: whoever has the file alone learns how many identities there are
and how large each is, and cannot tell whether a name is among them.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Final

import nacl.bindings
from nacl.exceptions import CryptoError

from enigma_fed.base.errors import StoreDamaged
from enigma_fed.wire.userid import UserId

KEY_BYTES: Final = 32
_DIGEST_BYTES: Final = 12
"""96 bits under a secret key: two of four million handles meet in one of 10^16 registries."""
BLIND_BYTES: Final = _DIGEST_BYTES + 4
"""The digest and its CRC-32: of a row whose index a disk garbled nobody would notice that it is missing."""
NONCE_BYTES: Final = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
OVERHEAD: Final = NONCE_BYTES + nacl.bindings.crypto_aead_xchacha20poly1305_ietf_ABYTES
"""Bytes that a sealed value is larger than what is in it."""


def subkey(index_key: bytes, purpose: bytes) -> bytes:
    """32 bytes for one purpose (at most 16 bytes of text), of which no other follows."""
    return hashlib.blake2b(key=index_key, person=purpose, digest_size=KEY_BYTES).digest()


def is_sound(blind: bytes) -> bool:
    """Whether these are the bytes of a blind index, of whatever key."""
    return (
        len(blind) == BLIND_BYTES
        and zlib.crc32(blind[:_DIGEST_BYTES]).to_bytes(4, "big") == blind[_DIGEST_BYTES:]
    )


class AtRest:
    """Blind indices and sealed values under one `index.key`."""

    def __init__(self, index_key: bytes) -> None:
        self._index = hashlib.blake2b(key=subkey(index_key, b"efed-reg-blind"), digest_size=_DIGEST_BYTES)
        self._seal = subkey(index_key, b"efed-reg-seal")

    def blind(self, user: UserId) -> bytes:
        """The blind index of a handle, 16 bytes."""
        hashed = self._index.copy()
        hashed.update(user.value)
        digest = hashed.digest()
        return digest + zlib.crc32(digest).to_bytes(4, "big")

    def seal(self, place: bytes, plain: bytes, nonce: bytes) -> bytes:
        """`plain`, that opens in this place alone; `nonce` is 24 random bytes."""
        sealed = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, place, nonce, self._seal)
        return nonce + bytes(sealed)

    def open(self, place: bytes, sealed: bytes) -> bytes:
        """What was sealed for this place; raises StoreDamaged."""
        nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            plain = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                ciphertext, place, nonce, self._seal
            )
        except (CryptoError, ValueError, TypeError):
            raise StoreDamaged("an identity in registry.db was changed by something else") from None
        return bytes(plain)
