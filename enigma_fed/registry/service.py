"""What a registry does for its callers, whatever brought the request (docs/REGISTRY.md section 3).

Bodies in, bodies out; who may ask how often is decided before. Raises RegistryError, and what the store
raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from enigma_fed.base.clock import Clock
from enigma_fed.base.registry_errors import FeatureDisabled, IdentityConflict, InputRefused
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.identity.signing import verify
from enigma_fed.registry import noderules
from enigma_fed.registry.clientaddress import ClientKey
from enigma_fed.registry.keyring import Derive, Keyring
from enigma_fed.registry.presence import Presences
from enigma_fed.registry.settings import RegistrySettings
from enigma_fed.registry.store import Registered, RegistryStore
from enigma_fed.wire import envelope as envelopes
from enigma_fed.wire import olderbodies
from enigma_fed.wire import registryreplies as replies
from enigma_fed.wire.publicidentity import IdentityBundle, PublicIdentity, check
from enigma_fed.wire.registrybodies import (
    NodesPayload,
    Presence,
    RegisterRequest,
    ResolveRequest,
    SyncRequest,
)
from enigma_fed.wire.registryrecord import Record
from enigma_fed.wire.userid import UserId

_DECOY: Final = bytes(3600)
"""What is sealed and thrown away for a user who is not there; an identity with a bundle is about as large."""


class Registry:
    """One registry: its identities, presences, nodes and envelope keys."""

    def __init__(
        self,
        settings: RegistrySettings,
        store: RegistryStore,
        clock: Clock,
        random: Callable[[int], bytes],
        key: NodeKey,
    ) -> None:
        """`store` is open; `random` gives secret random bytes; `key` is the registry's own."""
        self.settings = settings
        """What it goes by now."""
        self.store = store
        self.keyring = Keyring(settings.envelope)
        self.presences = Presences(settings.presence, clock)
        self.did = key.did
        """Who it is to owners and peers."""
        self._clock = clock
        self._random = random

    def replace(self, settings: RegistrySettings) -> None:
        """Go by a changed configuration from now on; what it says of storage is not looked at."""
        self.settings = settings
        self.keyring.replace(settings.envelope)
        self.presences.replace(settings.presence)

    async def register(self, body: bytes) -> bytes:
        """Take a handle for the identity in an envelope; an identity that has it already is told so too."""
        clear = olderbodies.registration(body) if self.settings.older_routes else None
        if clear is not None:
            await self.admit(clear.user_id, clear)
            return replies.OK
        asked = RegisterRequest.decode(body)
        plaintext = self.keyring.open(asked.envelope, asked.user, self.now_ms())
        await self.admit(asked.user, PublicIdentity.decode(plaintext))
        return replies.OK

    async def admit(self, user: UserId, identity: PublicIdentity) -> None:
        """Register what holds; raises InputRefused, IdentityConflict."""
        if identity.user_id != user:
            raise InputRefused("handle", "handle does not match identity")
        self.check(identity)
        if await self.store.register(self._record(identity)) is Registered.CONFLICT:
            raise IdentityConflict

    def resolve(self, body: bytes) -> bytes:
        """The identity of a handle, sealed for whoever asks; null, for the same work, where there is none."""
        asked = ResolveRequest.decode(body)
        identity = self.identity_bytes(asked.user)
        sealed = self.seal(asked.user, asked.public_key, _DECOY if identity is None else identity)
        return replies.resolved(asked.user, None if identity is None else sealed)

    def resolve_clear(self, handle: str) -> bytes:
        """The identity of a handle in clear, for clients of the older generation."""
        return olderbodies.resolved(self.identity_bytes(UserId.parse(handle)))

    def check_user(self, handle: str) -> bytes:
        """Whether a handle is taken; one that was revoked is."""
        if not self.settings.check_user:
            raise FeatureDisabled("check_user")
        return replies.exists(self.store.has(UserId.parse(handle)))

    def announce(self, body: bytes, client: ClientKey) -> bytes:
        """Note where a registered user is; of any other nothing is kept, and the answer does not tell."""
        said = Presence.decode(body)
        heartbeat = said.user, said.address, said.ts_ms, client
        if not self.presences.renew(*heartbeat):
            if self.identity_bytes(said.user) is not None:
                self.presences.announce(*heartbeat)
            else:
                self.presences.check_room(client)
        return replies.OK

    async def sync(self, body: bytes) -> bytes:
        """Register those of a peer's identities that hold and whose handles are free; pass the rest over."""
        holding: dict[UserId, PublicIdentity] = {}
        for identity in SyncRequest.decode(body).identities:
            if self._holds(identity):
                holding.setdefault(identity.user_id, identity)
        merged = await self.store.merge([self._record(identity) for identity in holding.values()])
        return replies.merged(merged)

    def nodes(self) -> bytes:
        """The list of nodes."""
        return replies.nodes(self.store.nodes())

    async def add_nodes(self, body: bytes) -> bytes:
        """Add nodes to the list, all or, if one of them is refused, none."""
        urls = [noderules.normalized(url) for url in NodesPayload.decode(body).urls]
        return replies.merged(await self.store.add_nodes(urls, self.settings.max_nodes))

    def envelope_key(self) -> bytes:
        """The key to seal to."""
        return self.keyring.active(self.now_ms()).to_json()

    def envelope_keys(self) -> bytes:
        """All keys that have not expired."""
        return replies.envelope_public_keys(self.keyring.shown(self.now_ms()))

    def identity_bytes(self, user: UserId) -> bytes | None:
        """What is registered for a handle, unless it was revoked."""
        record = self.store.find(user)
        return None if record is None or record.revoked else record.identity_bytes

    def seal(
        self, user: UserId, requester: bytes, plaintext: bytes, derive: Derive | None = None
    ) -> envelopes.Envelope:
        """An envelope for whoever asks; `derive` makes its key otherwise than an identity's."""
        nonce = self._random(envelopes.NONCE_BYTES)
        return self.keyring.seal(user, requester, plaintext, nonce, self.now_ms(), derive)

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(self._clock.wall() * 1000)

    def check(self, identity: PublicIdentity) -> None:
        """Raise InputRefused for an identity that contradicts itself or is not of the kind asked for here."""
        check(identity, verify)
        if self.settings.require_bundle and IdentityBundle.found_in(identity.signature) is None:
            raise InputRefused("identity.signature", "identity")

    def _holds(self, identity: PublicIdentity) -> bool:
        try:
            self.check(identity)
        except InputRefused:
            return False
        return True

    def _record(self, identity: PublicIdentity) -> Record:
        return Record(user_id=identity.user_id, identity_bytes=identity.encode(), registered_ms=self.now_ms())
