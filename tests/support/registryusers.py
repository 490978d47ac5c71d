"""Users of a registry for tests: identities as today's clients make them, and envelopes around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from nacl.signing import SigningKey

from enigma_fed.wire import envelope as envelopes
from enigma_fed.wire.envelope import Envelope
from enigma_fed.wire.publicidentity import IdentityBundle, PublicIdentity, prekey_message
from enigma_fed.wire.registrybodies import RegisterRequest
from enigma_fed.wire.userid import UserId

NOW_MS: Final = 1_795_000_000_000
PEPPER: Final = bytes(range(1, 33))
SERVER_SECRET: Final = bytes(range(0x10, 0x30))
KID: Final = bytes(range(8))
DEVICE: Final = "0b6b7a52-9c1b-4f6e-8a53-6f7d8f2f4c11"


@dataclass(frozen=True, slots=True)
class User:
    """A name with keys that are always the same for it."""

    name: str

    @property
    def id(self) -> UserId:
        return UserId.of(self.name)

    @property
    def signing_key(self) -> SigningKey:
        return SigningKey(self.id.value)

    @property
    def exchange_secret(self) -> bytes:
        return bytes(reversed(self.id.value))

    def bundle(self, **changes: Any) -> IdentityBundle:
        """The keys, the prekey signed."""
        prekey = envelopes.public_key(bytes([7]) * 32)
        members: dict[str, Any] = {
            "user_id": self.id,
            "device_id": DEVICE,
            "identity_dh_pub": envelopes.public_key(self.exchange_secret),
            "identity_sig_pub": bytes(self.signing_key.verify_key),
            "signed_prekey_id": 1,
            "signed_prekey_pub": prekey,
            "signed_prekey_sig": self.signing_key.sign(prekey_message(prekey)).signature,
            "created_ms": NOW_MS,
            "expires_ms": None,
        }
        return IdentityBundle(**(members | changes))

    def identity(self, **changes: Any) -> PublicIdentity:
        """As today's clients register it."""
        members: dict[str, Any] = {
            "user_id": self.id,
            "username_hint": self.name,
            "signing_public_key": bytes(self.signing_key.verify_key),
            "encryption_public_key": envelopes.public_key(self.exchange_secret),
            "signature": self.bundle().encode(),
            "created_at_ms": NOW_MS,
        }
        return PublicIdentity(**(members | changes))

    def sealed(
        self, plaintext: bytes | None = None, *, kid: bytes = KID, nonce: bytes = bytes(24)
    ) -> Envelope:
        """The identity for the registry of these tests, from an ephemeral key."""
        ephemeral = bytes([9]) * 32
        shared = envelopes.shared_secret(ephemeral, envelopes.public_key(SERVER_SECRET), "")
        key = envelopes.envelope_key(PEPPER, self.id, shared)
        inside = self.identity().encode() if plaintext is None else plaintext
        return Envelope(
            kid, envelopes.public_key(ephemeral), nonce, envelopes.seal(key, self.id, nonce, inside)
        )

    def register(self) -> RegisterRequest:
        return RegisterRequest(self.id, self.sealed())
