"""What the commands of the registry's client do: calls, and what is kept of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from enigma_fed.base.registry_client_errors import KeysChanged, NotRegistered
from enigma_fed.base.registry_errors import IdentityConflict
from enigma_fed.registry import clientrules
from enigma_fed.registry.client import RegistryClient
from enigma_fed.registry.clientrules import Keys
from enigma_fed.registry.clientstores import ClientStores
from enigma_fed.wire.knownidentities import Known, keys_digest
from enigma_fed.wire.ownidentity import OwnIdentity, Registration
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.userid import UserId

Now = Callable[[], float]
_LOG: Final = "enigma-fed registry log NAME --url URL"


@dataclass(frozen=True, slots=True)
class Found:
    """An identity that a registry gave, and what is to be thought of its keys."""

    identity: PublicIdentity
    keys: Keys
    first_seen: int


class ClientWork:
    """The work with one registry."""

    def __init__(self, client: RegistryClient, stores: ClientStores, url: str, now: Now = time.time) -> None:
        """`url` is the registry's, under which things are noted; `now` gives Unix seconds."""
        self.client = client
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
        await asyncio.to_thread(self._change, user, lambda own: own.with_registration(made))

    async def forget(self, user: UserId) -> None:
        """Keep that this registry holds none of an identity's keys."""
        await asyncio.to_thread(self._change, user, lambda own: own.without_registration(self.url))

    def _change(self, user: UserId, change: Callable[[OwnIdentity], OwnIdentity]) -> OwnIdentity:
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
        keys, head = clientrules.compare(known, identity), None
        if known is not None and keys is Keys.CHANGED:
            head = await self._proof(known, identity)
            keys = Keys.PROVED if head is not None else keys
            if head is None and not accept_new:
                raise _changed(known, identity)
        seen = clientrules.remembered(known, self.url, identity, int(self.now()), head)
        if clientrules.worth_writing(known, seen):
            await asyncio.to_thread(self._learn, seen)
        return Found(identity, keys, seen.first_seen)

    async def _proof(self, known: Known, identity: PublicIdentity) -> bytes | None:
        """The head of a log that leads from the known keys to these; None when the registry has none."""
        return None

    def _learn(self, seen: Known) -> None:
        with self.stores.locked():
            self.stores.learn(lambda known: known.with_identity(seen))


def _absent(known: Known | None) -> NotRegistered:
    if known is None:
        return NotRegistered("", hint="Look at the name, letter by letter: case and a leading @ count.")
    return NotRegistered(
        "it was there before: its owner may have revoked it", hint=f"What became of it: {_LOG}"
    )


def _changed(known: Known, identity: PublicIdentity) -> KeysChanged:
    before, now = clientrules.fingerprint(known.keys), clientrules.fingerprint(keys_digest(identity))
    return KeysChanged(
        f"they were {before}, and are {now}; nothing proves that their owner changed them",
        hint="Ask the owner by another way for the fingerprint. If it is the new one: --accept-new-keys",
    )


def _taken(own: OwnIdentity, held: PublicIdentity | None) -> Exception:
    from enigma_fed.base.registry_client_errors import HandleTaken

    former = held is not None and own.keys_of(held.digest) is not None
    if former:
        return HandleTaken(
            "it holds former keys of this identity",
            hint="Give it the new ones: enigma-fed registry rotate NAME",
        )
    return HandleTaken(
        "somebody else registered that name first, or revoked it",
        hint="Take another name, or another registry.",
    )
