"""The key of an onion service, and its form in tor's own files (rend-spec-v3, "Client and service files")."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final, Self

import nacl.bindings

from enigma_fed.base.ids import OnionAddress
from enigma_fed.wire import pem

SEED_BYTES: Final = 32
_SECRET_HEAD: Final = b"== ed25519v1-secret: type0 ==\0\0\0"
_PUBLIC_HEAD: Final = b"== ed25519v1-public: type0 ==\0\0\0"


@dataclass(frozen=True, slots=True)
class OnionKey:
    """An onion service's Ed25519 key, from its seed (32 bytes). Its repr never shows the seed."""

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_BYTES:
            raise ValueError("an onion key's seed has 32 bytes")

    @classmethod
    def generate(cls, seed: bytes) -> Self:
        """The key of 32 fresh random bytes."""
        return cls(seed)

    @classmethod
    def from_pem(cls, text: bytes) -> Self:
        """Read a PKCS#8 PEM; raises WireError."""
        return cls(pem.decode_seed(text))

    def to_pem(self) -> bytes:
        """The key as PKCS#8 PEM (RFC 8410)."""
        return pem.encode_seed(self.seed)

    @property
    def address(self) -> OnionAddress:
        """The onion address of this key."""
        public, _ = nacl.bindings.crypto_sign_seed_keypair(self.seed)
        return OnionAddress(public)

    @property
    def expanded(self) -> bytes:
        """Tor's 64-byte form: SHA-512 of the seed, its first half clamped (RFC 8032 section 5.1.5)."""
        digest = bytearray(hashlib.sha512(self.seed).digest())
        digest[0] &= 248
        digest[31] &= 63
        digest[31] |= 64
        return bytes(digest)

    @property
    def secret_file(self) -> bytes:
        """The content of tor's `hs_ed25519_secret_key`."""
        return _SECRET_HEAD + self.expanded

    @property
    def public_file(self) -> bytes:
        """The content that tor writes to `hs_ed25519_public_key`."""
        return _PUBLIC_HEAD + self.address.public_key

    @property
    def hostname_file(self) -> bytes:
        """The content that tor writes to `hostname`."""
        return f"{self.address}\n".encode("ascii")
