"""The envelope keys of a registry: which open, which seals, which are shown (docs/REGISTRY.md section 10).

Answers are sealed with the first key that is active and has not expired. A key that is no longer active still
opens what clients seal to it until it expires; after that it is neither shown nor used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from enigma_fed.base.registry_errors import ExpiredEnvelopeKey, InternalFault, UnknownEnvelopeKey
from enigma_fed.registry.settings import EnvelopeKey, EnvelopeSettings
from enigma_fed.wire import envelope as envelopes
from enigma_fed.wire.envelope import Envelope
from enigma_fed.wire.registryreplies import EnvelopePublicKey
from enigma_fed.wire.userid import UserId

Derive: TypeAlias = Callable[[bytes, UserId, bytes, bytes, bytes, bytes], bytes]
"""Makes an envelope's key of pepper, user, shared secret, kid, our public key and theirs."""


class Keyring:
    """Opens what clients seal and seals what they asked for; times are milliseconds since the epoch."""

    def __init__(self, settings: EnvelopeSettings) -> None:
        self.replace(settings)

    def replace(self, settings: EnvelopeSettings) -> None:
        """Use the keys of a changed configuration from now on."""
        self._pepper = settings.pepper
        self._keys = {key.kid: key for key in settings.keys}
        self._public = {key.kid: envelopes.public_key(key.private_key) for key in settings.keys}

    def open(self, envelope: Envelope, user: UserId, now_ms: int) -> bytes:
        """What a client sealed for this user; raises UnknownEnvelopeKey, ExpiredEnvelopeKey, InputRefused."""
        key = self._keys.get(envelope.kid)
        if key is None:
            raise UnknownEnvelopeKey
        if key.expired(now_ms):
            raise ExpiredEnvelopeKey
        theirs = envelope.sender_public_key
        shared = envelopes.shared_secret(key.private_key, theirs, "envelope.sender_pubkey")
        sealed_with = envelopes.envelope_key(self._pepper, user, shared)
        return envelopes.unseal(sealed_with, user, envelope.nonce, envelope.ciphertext)

    def seal(
        self,
        user: UserId,
        requester: bytes,
        plaintext: bytes,
        nonce: bytes,
        now_ms: int,
        derive: Derive | None = None,
    ) -> Envelope:
        """An envelope for whoever holds the secret of `requester` (32 bytes); `nonce` is 24 random bytes.

        `derive` makes the key of another kind of envelope than an identity's.

        Raises InputRefused for a key of low order, InternalFault when no key is active.
        """
        key = self._active(now_ms)
        shared = envelopes.shared_secret(key.private_key, requester, "requester_ephemeral_pubkey_hex")
        ours = self._public[key.kid]
        if derive is None:
            sealed_with = envelopes.envelope_key(self._pepper, user, shared)
        else:
            sealed_with = derive(self._pepper, user, shared, key.kid, ours, requester)
        return Envelope(key.kid, ours, nonce, envelopes.seal(sealed_with, user, nonce, plaintext))

    def active(self, now_ms: int) -> EnvelopePublicKey:
        """The key that answers are sealed with; raises InternalFault when there is none."""
        return self._shown(self._active(now_ms))

    def shown(self, now_ms: int) -> list[EnvelopePublicKey]:
        """All keys that have not expired, in the order of the configuration."""
        return [self._shown(key) for key in self._keys.values() if not key.expired(now_ms)]

    def _active(self, now_ms: int) -> EnvelopeKey:
        for key in self._keys.values():
            if key.active and not key.expired(now_ms):
                return key
        raise InternalFault

    def _shown(self, key: EnvelopeKey) -> EnvelopePublicKey:
        return EnvelopePublicKey(key.kid, self._public[key.kid], key.active, key.not_after_ms)
