"""The registry's cryptography a second time: OpenSSL's primitives, XChaCha20 put together by hand.

Nothing here comes from the package or from libsodium, so that one mistake cannot be on both sides.
"""

from __future__ import annotations

import struct
from typing import Final

import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_SIGMA: Final = struct.unpack("<4I", b"expand 32-byte k")
_COLUMNS: Final = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONALS: Final = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def hash256(data: bytes) -> bytes:
    """BLAKE3, 32 bytes."""
    return blake3.blake3(data).digest()


def user_id(name: str) -> bytes:
    """The id of a name that needs no trimming."""
    return hash256(b"enigma:user_id:v1" + name.encode())


def exchange_public(secret: bytes) -> bytes:
    """X25519 public key."""
    return _raw(X25519PrivateKey.from_private_bytes(secret))


def signing_public(secret: bytes) -> bytes:
    """Ed25519 public key."""
    return _raw(Ed25519PrivateKey.from_private_bytes(secret))


def sign(secret: bytes, message: bytes) -> bytes:
    """Ed25519 signature, 64 bytes."""
    return Ed25519PrivateKey.from_private_bytes(secret).sign(message)


def envelope_key(pepper: bytes, user: bytes, secret: bytes, public: bytes) -> bytes:
    """The key that one side's secret and the other side's public key make for one user."""
    shared = X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))
    return hash256(b"enigma:registry:envelope:v1" + pepper + user + shared)


def seal(key: bytes, nonce: bytes, plaintext: bytes, user: bytes) -> bytes:
    """XChaCha20-Poly1305 with the user id as associated data; the tag is at the end."""
    return ChaCha20Poly1305(_hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plaintext, user)


def unseal(key: bytes, nonce: bytes, ciphertext: bytes, user: bytes) -> bytes:
    """The other way; raises cryptography's InvalidTag."""
    return ChaCha20Poly1305(_hchacha20(key, nonce[:16])).decrypt(bytes(4) + nonce[16:], ciphertext, user)


def _raw(secret: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (32 - bits)) & 0xFFFF_FFFF


def _quarter(state: list[int], at: tuple[int, int, int, int]) -> None:
    a, b, c, d = at
    for first, second, third, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[first] = (state[first] + state[second]) & 0xFFFF_FFFF
        state[third] = _rotate(state[third] ^ state[first], bits)


def _hchacha20(key: bytes, nonce: bytes) -> bytes:
    """The subkey of XChaCha20 (draft-irtf-cfrg-xchacha, section 2.2)."""
    state = [*_SIGMA, *struct.unpack("<8I", key), *struct.unpack("<4I", nonce)]
    for _ in range(10):
        for at in (*_COLUMNS, *_DIAGONALS):
            _quarter(state, at)
    return struct.pack("<8I", *state[:4], *state[12:])
