"""A registry from the asking side: what is sent, and what of the answer is believed (docs/REGISTRY.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from enigma_fed.base.errors import ConfigError
from enigma_fed.base.registry_client_errors import IdentityRefused, RegistryAnswerBroken
from enigma_fed.base.registry_errors import InputRefused, RegistryError, UnknownEnvelopeKey
from enigma_fed.identity.signing import verify
from enigma_fed.registry.clientcalls import Calls, read_answer
from enigma_fed.wire import envelope, publicidentity, registryreplies
from enigma_fed.wire.envelope import Envelope
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registrybodies import NodesPayload, Presence, RegisterRequest, ResolveRequest
from enigma_fed.wire.registryreplies import EnvelopePublicKey
from enigma_fed.wire.userid import UserId

Random = Callable[[int], bytes]
NOT_OPENED: Final = "Look whether --pepper-file holds that registry's pepper."


class RegistryClient:
    """Calls to one registry, generation C (docs/REGISTRY.md section 3).

    Every method raises RegistryError for a refusal and RegistryUnreachable, RegistryAnswerBroken,
    RegistryBusy, PowTooHard or NotOffered.
    """

    def __init__(self, calls: Calls, pepper: bytes | None, random: Random, now_ms: Callable[[], int]) -> None:
        """`pepper` has 32 bytes and is needed for envelopes alone; `random` gives secret bytes."""
        self.calls = calls
        self._pepper = pepper
        self._random = random
        self._now_ms = now_ms

    async def keys(self) -> tuple[EnvelopePublicKey, ...]:
        """The keys that it advertises, at least one."""
        found = await self.calls.find("GET", "/envelope_pubkeys")
        if found is not None:
            keys = read_answer(found, registryreplies.read_keys)
        else:
            answer = await self.calls.ask("GET", "/envelope_pubkey")
            keys = (read_answer(answer, registryreplies.read_key),)
        if not keys:
            raise RegistryAnswerBroken("it advertises no envelope key")
        return keys

    async def register(self, identity: PublicIdentity) -> None:
        """Register; raises IdentityConflict when the registry holds another, or any, under that handle."""
        try:
            await self._register(identity)
        except UnknownEnvelopeKey:
            await self._register(identity)  # its keys changed between the two requests

    async def _register(self, identity: PublicIdentity) -> None:
        body = RegisterRequest(identity.user_id, await self.sealed(identity)).encode()
        answer = await self.calls.ask("POST", "/register", body, pow_route="/register")
        read_answer(answer, registryreplies.read_ok)

    async def sealed(self, identity: PublicIdentity) -> Envelope:
        """The identity as only this registry opens it."""
        pepper = self.known_pepper()
        key = self._best(await self.keys())
        secret = self._random(envelope.KEY_BYTES)
        try:
            shared = envelope.shared_secret(secret, key.public_key, "x25519_public_key_hex")
        except InputRefused:
            raise RegistryAnswerBroken("its envelope key is one that everybody can open") from None
        nonce = self._random(envelope.NONCE_BYTES)
        sealing = envelope.envelope_key(pepper, identity.user_id, shared)
        ciphertext = envelope.seal(sealing, identity.user_id, nonce, identity.encode())
        return Envelope(key.kid, envelope.public_key(secret), nonce, ciphertext)

    async def resolve(self, user: UserId) -> PublicIdentity | None:
        """The identity, checked as far as it can be; None when the registry holds none.

        Raises IdentityRefused for one that does not hold.
        """
        pepper = self.known_pepper()
        secret = self._random(envelope.KEY_BYTES)
        body = ResolveRequest(user, envelope.public_key(secret)).encode()
        answer = await self.calls.ask("POST", "/resolve", body, pow_route="/resolve")
        handle, sealed = read_answer(answer, registryreplies.read_resolved)
        if handle != user:
            raise IdentityRefused("it answers for another handle")
        if sealed is None:
            return None
        identity = opened(sealed, pepper, user, secret)
        if (sealed.kid, sealed.sender_public_key) not in {(k.kid, k.public_key) for k in await self.keys()}:
            raise IdentityRefused("it is sealed with a key that the registry does not advertise")
        return identity

    async def check(self, user: UserId) -> bool:
        """Whether the registry holds an identity of this handle."""
        answer = await self.calls.ask("GET", f"/check_user/{user.hex}", pow_route="/check_user")
        return read_answer(answer, registryreplies.read_exists)

    async def announce(self, presence: Presence) -> int | None:
        """Announce; in how many seconds the registry wants to hear it again, if it says so."""
        answer = await self.calls.ask("POST", "/announce", presence.encode())
        read_answer(answer, registryreplies.read_ok)
        return answer.reannounce_after

    async def nodes(self) -> tuple[str, ...]:
        """The registries that it knows: strangers' words, nothing of them is checked."""
        return read_answer(await self.calls.ask("GET", "/nodes"), registryreplies.read_nodes)

    async def add_nodes(self, urls: Sequence[str]) -> int:
        """Tell it of registries; how many were new to it."""
        body = NodesPayload(tuple(urls)).encode()
        return read_answer(await self.calls.ask("POST", "/nodes", body), registryreplies.read_merged)

    def _best(self, keys: Sequence[EnvelopePublicKey]) -> EnvelopePublicKey:
        """The first active key that has not expired, else the first active one, else the first."""
        active = [key for key in keys if key.active]
        now = self._now_ms()
        lasting = [key for key in active if key.not_after_ms is None or key.not_after_ms > now]
        return (lasting or active or list(keys))[0]

    def known_pepper(self) -> bytes:
        """The registry's pepper; raises ConfigError when it is not known."""
        if self._pepper is None:
            raise no_pepper()
        return self._pepper


def no_pepper() -> ConfigError:
    """What to say when an envelope is wanted without the pepper."""
    return ConfigError(
        "this registry's pepper is not known",
        hint="Its operator has it; put its 64 digits into a file: --pepper-file FILE",
    )


def opened(sealed: Envelope, pepper: bytes, user: UserId, secret: bytes) -> PublicIdentity:
    """The identity in an envelope that was asked for with the X25519 key `secret`.

    Raises IdentityRefused unless it opens, is of this user, and does not contradict itself.
    """
    try:
        shared = envelope.shared_secret(secret, sealed.sender_public_key, "envelope.sender_pubkey")
        plain = envelope.unseal(
            envelope.envelope_key(pepper, user, shared), user, sealed.nonce, sealed.ciphertext
        )
    except InputRefused:
        raise IdentityRefused("its envelope does not open", hint=NOT_OPENED) from None
    try:
        identity = PublicIdentity.decode(plain)
        if identity.user_id != user:
            raise IdentityRefused("its envelope holds another user")
        publicidentity.check(identity, verify)
    except RegistryError as error:
        raise IdentityRefused(
            f"its envelope holds no sound identity ({error.field or 'too large'})"
        ) from None
    return identity
