"""Users of a measured registry, as many as wanted, and the bodies that their clients send."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from nacl.signing import SigningKey

from enigma_fed.wire import envelope as envelopes
from enigma_fed.wire.envelope import Envelope
from enigma_fed.wire.publicidentity import IdentityBundle, PublicIdentity, prekey_message
from enigma_fed.wire.registrybodies import Presence, RegisterRequest, ResolveRequest
from enigma_fed.wire.userid import UserId

PEPPER: Final = bytes(range(1, 33))
SERVER_SECRET: Final = bytes(range(0x40, 0x60))
KID: Final = bytes(range(8))
_CREATED_MS: Final = 1_795_000_000_000
_ADDRESS: Final = "https://registry.example.org:8443"
_SERVER_PUBLIC: Final = envelopes.public_key(SERVER_SECRET)


@dataclass(frozen=True)
class User:
    """One of many; always the same for a number."""

    number: int
    bundled: bool = True
    """Whether its identity has a bundle with a signed prekey, as those of today's clients."""

    @cached_property
    def name(self) -> str:
        """Its name in this registry."""
        return f"user {self.number} {'with' if self.bundled else 'without'} a bundle"

    @cached_property
    def id(self) -> UserId:
        """Its handle."""
        return UserId.of(self.name)

    @cached_property
    def identity(self) -> PublicIdentity:
        """Its identity, about 2.5 KB with a bundle, 0.6 KB without."""
        signing = SigningKey(hashlib.blake2b(self.id.value, digest_size=32).digest())
        exchange = envelopes.public_key(self.id.value)
        public = bytes(signing.verify_key)
        signature = self._bundle(signing, public, exchange) if self.bundled else bytes(64)
        return PublicIdentity(
            user_id=self.id,
            username_hint=self.name,
            signing_public_key=public,
            encryption_public_key=exchange,
            signature=signature,
            created_at_ms=_CREATED_MS,
        )

    def register(self) -> bytes:
        """A body of `/register`, from a fresh ephemeral key."""
        secret, nonce = os.urandom(32), os.urandom(24)
        shared = envelopes.shared_secret(secret, _SERVER_PUBLIC, "")
        key = envelopes.envelope_key(PEPPER, self.id, shared)
        sealed = envelopes.seal(key, self.id, nonce, self.identity.encode())
        envelope = Envelope(KID, envelopes.public_key(secret), nonce, sealed)
        return RegisterRequest(self.id, envelope).encode()

    def resolve(self) -> bytes:
        """A body of `/resolve`, from a fresh ephemeral key."""
        return ResolveRequest(self.id, envelopes.public_key(os.urandom(32))).encode()

    def announce(self, ts_ms: int) -> bytes:
        """A body of `/announce`."""
        return Presence(self.id, _ADDRESS, ts_ms).encode()

    def _bundle(self, signing: SigningKey, public: bytes, exchange: bytes) -> bytes:
        prekey = exchange[::-1]
        return IdentityBundle(
            user_id=self.id,
            device_id="0b6b7a52-9c1b-4f6e-8a53-6f7d8f2f4c11",
            identity_dh_pub=exchange,
            identity_sig_pub=public,
            signed_prekey_id=1,
            signed_prekey_pub=prekey,
            signed_prekey_sig=signing.sign(prekey_message(prekey)).signature,
            created_ms=_CREATED_MS,
            expires_ms=None,
        ).encode()
