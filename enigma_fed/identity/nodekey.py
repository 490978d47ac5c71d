"""The key that is the node: an Ed25519 seed, its DID, and signing with it."""

from __future__ import annotations

from typing import Self

import nacl.bindings

from enigma_fed.base.ids import Did
from enigma_fed.wire import pem


class NodeKey:
    """An Ed25519 key pair made from a 32-byte seed. Its repr never shows the seed (invariant 8)."""

    __slots__ = ("_secret", "did")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != pem.SEED_BYTES:
            raise ValueError("a seed has 32 bytes")
        public_key, self._secret = nacl.bindings.crypto_sign_seed_keypair(seed)
        self.did = Did(public_key)

    @classmethod
    def generate(cls, seed: bytes) -> Self:
        """The key of 32 fresh random bytes."""
        return cls(seed)

    @classmethod
    def from_pem(cls, text: bytes) -> Self:
        """Read a PKCS#8 PEM (RFC 8410); raises WireError."""
        return cls(pem.decode_seed(text))

    def to_pem(self) -> bytes:
        """The key as PKCS#8 PEM (RFC 8410)."""
        return pem.encode_seed(self._secret[: pem.SEED_BYTES])

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature of `message`; callers put a domain label into it."""
        return nacl.bindings.crypto_sign(message, self._secret)[: nacl.bindings.crypto_sign_BYTES]

    def __repr__(self) -> str:
        return f"NodeKey({self.did.short})"
