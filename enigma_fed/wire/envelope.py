"""The envelope in which an identity travels (docs/REGISTRY.md, "Envelopes").

XChaCha20-Poly1305 under a key from X25519, the pepper and the user id. The pepper is known to every
client: it names the network and keeps nothing secret.
"""

from __future__ import annotations

from typing import Final, Self

import msgspec
import nacl.bindings
import nacl.exceptions

from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.wire import blake3hash
from enigma_fed.wire import registryobject as read
from enigma_fed.wire.userid import UserId

KID_BYTES: Final = 8
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 24
_LABEL: Final = b"enigma:registry:envelope:v1"


class EnvelopeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members in the order in which they are written; the library does the base64."""

    kid: str
    sender_pubkey: str
    nonce: str
    ciphertext: bytes


_MEMBERS: Final = frozenset(EnvelopeForm.__struct_fields__)


class Envelope(msgspec.Struct, frozen=True):
    """A sealed identity."""

    kid: bytes
    """Id of the registry's key, 8 bytes."""
    sender_public_key: bytes
    """X25519, 32 bytes."""
    nonce: bytes
    """24 bytes."""
    ciphertext: bytes
    """With its tag: 16 bytes more than the identity."""

    @classmethod
    def from_object(cls, value: object, field: str = "envelope") -> Self:
        """Read the members; raises InputRefused that names one of them."""
        found = read.members(value, field, _MEMBERS)
        form = EnvelopeForm(
            read.text(found, "kid", field),
            read.text(found, "sender_pubkey", field),
            read.text(found, "nonce", field),
            read.standard_base64(read.text(found, "ciphertext", field), f"{field}.ciphertext"),
        )
        return cls.from_form(form, field)

    @classmethod
    def from_form(cls, form: EnvelopeForm, field: str = "envelope") -> Self:
        """Read the texts of the members; raises InputRefused."""
        return cls(
            read.hexadecimal(form.kid, KID_BYTES, f"{field}.kid"),
            read.hexadecimal(form.sender_pubkey, KEY_BYTES, f"{field}.sender_pubkey"),
            read.hexadecimal(form.nonce, NONCE_BYTES, f"{field}.nonce"),
            form.ciphertext,
        )

    @property
    def form(self) -> EnvelopeForm:
        """As it is written."""
        return EnvelopeForm(self.kid.hex(), self.sender_public_key.hex(), self.nonce.hex(), self.ciphertext)

    def to_json(self) -> bytes:
        """Compact JSON, members in the order of the wire."""
        return msgspec.json.encode(self.form)


def public_key(secret: bytes) -> bytes:
    """The X25519 public key of a secret one, 32 bytes each."""
    return nacl.bindings.crypto_scalarmult_base(secret)


def shared_secret(secret: bytes, public: bytes, field: str) -> bytes:
    """X25519; raises InputRefused that names the field for a key of low order, with which anyone shares."""
    try:
        return nacl.bindings.crypto_scalarmult(secret, public)
    except nacl.exceptions.RuntimeError:
        raise InputRefused(field) from None


def envelope_key(pepper: bytes, user: UserId, shared: bytes) -> bytes:
    """The key of an envelope, 32 bytes, from three values of 32 bytes; the same in both directions."""
    return blake3hash.digest(_LABEL + pepper + user.value + shared)


def seal(key: bytes, user: UserId, nonce: bytes, plaintext: bytes) -> bytes:
    """The ciphertext; the nonce is 24 fresh random bytes."""
    return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, user.value, nonce, key)


def unseal(key: bytes, user: UserId, nonce: bytes, ciphertext: bytes, field: str = "envelope") -> bytes:
    """The plaintext; raises InputRefused unless it was sealed with this key for this user."""
    try:
        return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, user.value, nonce, key)
    except (nacl.exceptions.CryptoError, ValueError):  # ValueError: shorter than a tag
        raise InputRefused(f"{field}.ciphertext", "unable to decrypt envelope") from None
