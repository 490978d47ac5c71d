"""What the commands of the registry's client do: calls, and what is kept of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from enigma_fed.base.ids import Did
from enigma_fed.base.registry_client_errors import (
    HandleTaken,
    IdentityRefused,
    KeysChanged,
    NotOffered,
    NotRegistered,
)
from enigma_fed.base.registry_errors import IdentityConflict, Unauthorized
from enigma_fed.registry import clientrules
from enigma_fed.registry.client import RegistryClient
from enigma_fed.registry.clientowner import PRESENCES, OwnerClient
from enigma_fed.registry.clientrules import Keys
from enigma_fed.registry.clientstores import ClientStores
from enigma_fed.wire.knownidentities import Known, KnownFile, keys_digest
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.ownidentity import OwnIdentity, Registration
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registrybodies import Presence
from enigma_fed.wire.registryv1 import SignedPresence, presence_message
from enigma_fed.wire.userid import UserId

Now = Callable[[], float]
_LOG: Final = "enigma-fed registry log NAME --url URL"
_TWICE: Final = "Made on another machine of yours? Then: --accept-new-keys. Else ask the operator."
_OTHER_KEYS: Final = "It does not hold your keys of that name. To announce without a signature: --unsigned"
_SOMEBODYS: Final = (
    "Did somebody else have the name there before you? Then move the file of your keys and its .bak away; "
    "where it is: enigma-fed registry identity show NAME"
)


@dataclass(frozen=True, slots=True)
class Found:
    """An identity that a registry gave, and what is to be thought of its keys."""

    identity: PublicIdentity
    keys: Keys
    first_seen: int


class ClientWork:
    """The work with one registry."""

    def __init__(
        self,
        client: RegistryClient,
        owner: OwnerClient,
        stores: ClientStores,
        url: str,
        now: Now = time.time,
    ) -> None:
        """`url` is the registry's, under which things are noted; `now` gives Unix seconds."""
        self.client = client
        self._owner = owner
        self.stores = stores
        self.url = url
        self.now = now

    async def register(self, own: OwnIdentity) -> bool:
        """Register the newest keys of an identity that is kept here; False when they were registered before.

        Raises HandleTaken, and what RegistryClient raises.
        """
        identity = own.public()
        try:
            await self.client.register(identity)
            fresh = True
        except IdentityConflict as error:
            # Registries of before refuse the same identity too.
            held = await self.client.resolve(own.user_id)
            if held is None or held.digest != identity.digest:
                raise _taken(own, held) from error
            fresh = False
        await self.note(own.user_id, identity)
        return fresh

    async def note(self, user: UserId, identity: PublicIdentity) -> None:
        """Keep which keys this registry holds now."""
        made = Registration(url=self.url, identity=identity.digest, at=int(self.now()))
        await asyncio.to_thread(self.change, user, lambda own: own.with_registration(made))

    async def forget(self, user: UserId) -> None:
        """Keep that this registry holds none of an identity's keys."""
        await asyncio.to_thread(self.change, user, lambda own: own.without_registration(self.url))

    def change(self, user: UserId, change: Callable[[OwnIdentity], OwnIdentity]) -> OwnIdentity:
        """Change what is kept of an identity, durable on return. Blocks."""
        with self.stores.locked():
            return self.stores.change(user, change)

    async def resolve(self, user: UserId, *, accept_new: bool = False) -> Found:
        """The identity of a handle, compared with what was seen before, and remembered.

        Raises NotRegistered, KeysChanged when the keys are others and nothing proves that their owner
        changed them (`accept_new` takes them all the same), and what RegistryClient raises.
        """
        known = (await asyncio.to_thread(self.stores.known)).find(self.url, user)
        identity = await self.client.resolve(user)
        if identity is None:
            raise _absent(known)
        if not accept_new:
            await asyncio.to_thread(self._compare_with_own, identity)
        keys, head = clientrules.compare(known, identity), None
        if known is not None and keys is Keys.CHANGED:
            head = await self._proof(known, identity)
            keys = Keys.PROVED if head is not None else keys
            if head is None and not accept_new:
                raise _changed(known, identity)
        seen = clientrules.remembered(known, self.url, identity, int(self.now()), head)
        if clientrules.worth_writing(known, seen):
            await asyncio.to_thread(self._learn, lambda known: known.with_identity(seen))
        return Found(identity, keys, seen.first_seen)

    def _compare_with_own(self, identity: PublicIdentity) -> None:
        """Raise KeysChanged for somebody else's keys under the name of an identity that is kept here."""
        if not self.stores.owns(identity.user_id):
            return
        own = self.stores.own(identity.user_id)
        if own.keys_of(identity.digest) is None:
            never = own.registered_at(self.url) is None
            raise KeysChanged(
                "that is a name of yours, and they are not your keys", hint=_SOMEBODYS if never else _TWICE
            )

    async def _proof(self, known: Known, identity: PublicIdentity) -> bytes | None:
        """The head of a log that leads from the known keys to these; None when there is no such log."""
        try:
            entries = await self._owner.log(identity.user_id)
        except (NotOffered, IdentityRefused):
            return None
        if entries is None or not clientrules.leads_to(entries, known, identity.digest):
            return None
        return entries[-1].hash

    async def log(self, user: UserId) -> tuple[LogEntry, ...]:
        """An identity's log; the newest entry is remembered of who was seen before.

        Raises NotRegistered, IdentityRefused also when it does not go on from what was seen before.
        """
        file = await asyncio.to_thread(self.stores.known)
        known, did = file.find(self.url, user), file.registry(self.url)
        entries = await self._owner.log(user)
        if entries is None:
            raise _absent(known)
        last = entries[-1]
        if known is not None and known.head not in (None, *(entry.hash for entry in entries)):
            raise IdentityRefused("its log does not go on from the one that was seen before")
        if None not in (did, last.registry) and str(did) != last.registry:
            raise IdentityRefused("its log is of another registry than this one was")
        if known is not None and known.head != last.hash:
            seen = msgspec.structs.replace(known, head=last.hash)
            await asyncio.to_thread(self._learn, lambda known: known.with_identity(seen))
        return entries

    async def announce(self, presence: Presence, own: OwnIdentity | None) -> tuple[bool, int | None]:
        """Announce, signed by `own` where that is taken; whether it was, and the seconds to the next."""
        facts = None if own is None else await self._owner.facts()
        if own is None or facts is None or PRESENCES not in facts.features:
            return False, await self.client.announce(presence)
        did = await self.pin(facts.did)
        noted = own.registered_at(self.url)
        keys = (own.keys_of(noted.identity) if noted is not None else None) or own.keys[0]
        signature = keys.sign(presence_message(presence, did))
        try:
            return True, await self._owner.announce(SignedPresence(presence, did, signature))
        except Unauthorized as error:
            error.hint = _OTHER_KEYS
            raise

    async def pin(self, did: Did, *, accept: bool = False) -> Did:
        """A registry's DID, remembered at first; raises KeysChanged for another later, unless accepted."""
        before = (await asyncio.to_thread(self.stores.known)).registry(self.url)
        if before is not None and before != did and not accept:
            raise _changed_did(before, did)
        if before != did:
            await asyncio.to_thread(self._learn, lambda known: known.with_registry(self.url, did))
        return did

    def _learn(self, change: Callable[[KnownFile], KnownFile]) -> None:
        with self.stores.locked():
            self.stores.learn(change)


def _changed_did(before: Did, now: Did) -> KeysChanged:
    """A registry that is another than before, or says so."""
    return KeysChanged(
        f"the registry said to be {before.short} and now says {now.short}",
        hint="Ask its operator whether that is so; then: --accept-new-registry",
    )


def _absent(known: Known | None) -> NotRegistered:
    if known is None:
        return NotRegistered("", hint="Look at the name, letter by letter: case and a leading @ count.")
    return NotRegistered(
        "it was there before, and its owner may have revoked it", hint=f"What became of it: {_LOG}"
    )


def _changed(known: Known, identity: PublicIdentity) -> KeysChanged:
    before, now = clientrules.fingerprint(known.keys), clientrules.fingerprint(keys_digest(identity))
    return KeysChanged(
        f"they were {before}, and are {now}; nothing proves that their owner changed them",
        hint="Ask the owner by another way for the fingerprint. If it is the new one: --accept-new-keys",
    )


def _taken(own: OwnIdentity, held: PublicIdentity | None) -> Exception:
    former = held is not None and own.keys_of(held.digest) is not None
    if former:
        return HandleTaken(
            "it holds former keys of this identity",
            hint="Give it the new ones: enigma-fed registry rotate NAME --url URL",
        )
    return HandleTaken(
        "somebody else registered that name first, or it was revoked",
        hint="Take another name, or another registry.",
    )
