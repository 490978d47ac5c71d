"""What owners do with what is registered, and what peers ask of it (docs/REGISTRY.md, sections 4, 6 and 7).

An owner is whoever holds the registered signing key. Raises RegistryError, and what the store raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from msgspec.structs import replace

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import IdentityConflict, InputRefused, NotFoundHere, Unauthorized
from enigma_fed.identity.signing import verify
from enigma_fed.registry.clientaddress import ClientKey
from enigma_fed.registry.service import Registry
from enigma_fed.wire import ownerchange, registryv1
from enigma_fed.wire import registryreplies as replies
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.ownerstatement import Action, ChangeRequest, check_change
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registrybodies import ResolveRequest
from enigma_fed.wire.registryv1 import PresenceQuery, PresenceView, RegistryFacts, SignedPresence
from enigma_fed.wire.userid import UserId

_DECOY: Final = PublicIdentity(
    user_id=UserId(bytes(32)),
    username_hint=None,
    signing_public_key=bytes([200]) * 32,
    encryption_public_key=bytes([200]) * 32,
    signature=bytes([200]) * 900,
    created_at_ms=1,
).encode()
"""Whose log is made and thrown away for a user who is not there; an identity with a bundle is as large."""


class Owners:
    """The versioned routes of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def facts(self) -> bytes:
        """Who this registry is, what it does besides the routes of old, and how much it takes."""
        settings = self._registry.settings
        switches = {
            "check_user": settings.check_user,
            "pow": settings.pow.enabled,
            "pow_register": settings.pow.enabled and settings.pow.register,
            "sync": settings.allow_sync,
            "nodes_open": settings.nodes_open,
            "older_routes": settings.older_routes,
            "require_bundle": settings.require_bundle,
        }
        features = ("change", "log", "signed_presence", *(name for name, on in switches.items() if on))
        numbers = {
            "identity_bytes": registry_limits.IDENTITY_BYTES,
            "sync_bytes": registry_limits.SYNC_BYTES,
            "sync_identities": registry_limits.SYNC_IDENTITIES,
            "nodes": settings.max_nodes,
            "presence_ttl_seconds": settings.presence.ttl_seconds,
            "reannounce_after": self._registry.presences.reannounce_after,
        }
        return RegistryFacts(self._registry.did, features, numbers).to_json()

    async def change(self, body: bytes) -> bytes:
        """Update, rotate or revoke by a statement of the registered key; it names the log's newest entry."""
        registry, request = self._registry, ChangeRequest.decode(body)
        user, now_ms = request.statement.user, registry.now_ms()
        record = registry.store.find(user)
        if record is None or record.revoked or record.head != request.statement.previous:
            return self._told_again(request)
        new = self._opened(request, now_ms)
        registered = PublicIdentity.decode(record.identity_bytes)
        check_change(request, registered, new, registry=registry.did, now_ms=now_ms, verify=verify)
        entry = LogEntry.following(registry.store.log(user)[-1], request, now_ms, new)
        changed = replace(
            record,
            identity_bytes=b"" if new is None else new.encode(),
            changed=entry.hash,
            revoked=new is None,
        )
        if not await registry.store.change(user, request.statement.previous, changed, entry):
            raise IdentityConflict
        if request.statement.action is not Action.UPDATE:
            registry.presences.drop(user)
        return registryv1.changed(entry.seq, entry.hash)

    def log(self, body: bytes) -> bytes:
        """Every change of an identity, sealed for whoever asks; null, for the same work, of nobody."""
        asked = ResolveRequest.decode(body)
        entries, known = self._entries(asked.user)
        plaintext = ownerchange.encode_log(entries)
        sealed = self._registry.seal(asked.user, asked.public_key, plaintext, ownerchange.log_key)
        return replies.resolved(asked.user, sealed if known else None)

    def announce(self, body: bytes, client: ClientKey) -> bytes:
        """Note where a user is who signed it; raises Unauthorized, also for who is not registered."""
        registry, said = self._registry, SignedPresence.decode(body)
        if said.registry != registry.did:
            raise InputRefused("registry")
        user = said.presence.user
        if not verify(self._signing_key(user), said.message, said.signature):
            raise Unauthorized
        registry.presences.announce(user, said.presence.address, said.presence.ts_ms, client, signed=True)
        return registryv1.announced(registry.presences.reannounce_after)

    def presence(self, body: bytes) -> bytes:
        """Where a user is, for a peer."""
        found = self._registry.presences.find(PresenceQuery.decode(body).user)
        view = None if found is None else PresenceView(*found)
        return registryv1.presence_found(view)

    def _told_again(self, request: ChangeRequest) -> bytes:
        """The answer to the request that made the newest entry, which may have been lost.

        Raises IdentityConflict, or NotFoundHere after a revocation, for who held the key at the entry that
        the statement names; for anybody else Unauthorized, whether there is such a user or not.
        """
        entries, known = self._entries(request.statement.user)
        key = _held_key(entries, request.statement.previous) if known else self._registry.did.public_key
        if not verify(key, request.statement.message, request.signature) or not known:
            raise Unauthorized
        newest = entries[-1]
        if newest.is_of(request):
            return registryv1.changed(newest.seq, newest.hash)
        raise NotFoundHere if newest.action is Action.REVOKE else IdentityConflict

    def _entries(self, user: UserId) -> tuple[Sequence[LogEntry], bool]:
        """The log of a user and True; for nobody one that costs the same, and False."""
        entries = self._registry.store.log(user)
        if entries:
            return entries, True
        return (LogEntry.registered(PublicIdentity.decode(_DECOY), 1),), False

    def _opened(self, request: ChangeRequest, now_ms: int) -> PublicIdentity | None:
        """The new identity out of its envelope."""
        if request.envelope is None:
            return None
        user = request.statement.user
        new = PublicIdentity.decode(self._registry.keyring.open(request.envelope, user, now_ms))
        self._registry.check(new)
        return new

    def _signing_key(self, user: UserId) -> bytes:
        """The registered key, or, for the same work, one that signs nothing of the kind."""
        registered = self._registry.identity_bytes(user)
        if registered is None:
            return self._registry.did.public_key
        return PublicIdentity.decode(registered).signing_public_key


def _held_key(entries: Sequence[LogEntry], head: bytes) -> bytes:
    """The signing key that counted while `head` was the newest entry; the one of now if it never was."""
    for before, entry in pairwise(entries):
        if entry.previous == head:
            return before.signing_public_key
    return entries[-1].signing_public_key
