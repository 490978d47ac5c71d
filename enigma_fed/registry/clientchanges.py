"""Update, rotate and revoke from the owner's side: which keys are next, and what is on the disk when.

New keys are kept before the registry hears of them. Which of the kept ones it holds is asked of it each time,
so that a command that was cut off anywhere is simply repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from enigma_fed.base.errors import Conflict, EnigmaError
from enigma_fed.base.ids import Did
from enigma_fed.base.registry_client_errors import (
    HandleTaken,
    IdentityRefused,
    NotRegistered,
    RegistryBusy,
)
from enigma_fed.base.registry_errors import IdentityConflict, Unauthorized
from enigma_fed.registry.clientowner import CHANGES, OwnerClient, must_offer
from enigma_fed.registry.clientwork import ClientWork
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.ownerstatement import Action, ChangeRequest, Statement
from enigma_fed.wire.ownidentity import KeySet, OwnIdentity, renewed

Random = Callable[[int], bytes]
_AGAIN = "Try again. What became of it: enigma-fed registry log NAME --url URL"


@dataclass(frozen=True, slots=True)
class Held:
    """What a registry holds of an identity of ours."""

    keys: KeySet
    head: bytes


class OwnerChanges:
    """Changes of identities of ours at one registry."""

    def __init__(
        self, work: ClientWork, owner: OwnerClient, random: Random, now_ms: Callable[[], int]
    ) -> None:
        self._work = work
        self._owner = owner
        self._random = random
        self._now_ms = now_ms

    async def change(
        self, own: OwnIdentity, action: Action, *, accept_did: bool = False
    ) -> OwnIdentity | None:
        """Make the change; the identity as it is kept then, None when it had been made before.

        Raises NotOffered, NotRegistered, HandleTaken, IdentityRefused, KeysChanged for a registry with
        another DID than before (`accept_did` takes it), and what RegistryClient raises.
        """
        registry = await self.did(accept=accept_did)
        last = await self._last(own, registry)
        if last.action is Action.REVOKE:
            if action is not Action.REVOKE:
                raise HandleTaken("it was revoked there, for good", hint="Take another name.")
            await self._work.forget(own.user_id)
            return None
        held = _held(own, last)
        if self._was_made(own, held, action):
            await self._work.note(own.user_id, own.public())
            return None
        keys = None if action is Action.REVOKE else _next_keys(own, held.keys, action, self._renew)
        if keys is not None and keys not in own.keys:
            newer = keys
            own = await asyncio.to_thread(self._work.change, own.user_id, lambda kept: kept.with_keys(newer))
        await self._send(own, held, keys, registry, action)
        if keys is None:
            await self._work.forget(own.user_id)
        else:
            await self._work.note(own.user_id, own.public(keys))
        return own

    async def did(self, *, accept: bool = False) -> Did:
        """The registry's DID, which is the one of before; raises NotOffered, KeysChanged."""
        return await self._work.pin(must_offer(await self._owner.facts(), CHANGES).did, accept=accept)

    async def _last(self, own: OwnIdentity, registry: Did) -> LogEntry:
        entries = await self._owner.log(own.user_id)
        if entries is None:
            raise NotRegistered("", hint="Register it first: enigma-fed registry register NAME --url URL")
        if entries[-1].registry not in (None, str(registry)):
            raise IdentityRefused("its log is of another registry")
        return entries[-1]

    def _was_made(self, own: OwnIdentity, held: Held, action: Action) -> bool:
        """Whether an earlier try arrived whose answer did not."""
        noted = own.registered_at(self._work.url)
        newest = held.keys == own.keys[0]
        return (
            action is not Action.REVOKE
            and newest
            and noted is not None
            and noted.identity != own.public().digest
        )

    def _renew(self, keys: KeySet, *, signing: bool) -> KeySet:
        return renewed(keys, self._random, self._now_ms(), signing=signing)

    async def _send(
        self, own: OwnIdentity, held: Held, keys: KeySet | None, registry: Did, action: Action
    ) -> None:
        new = None if keys is None else own.public(keys)
        statement = Statement(
            action=action,
            user=own.user_id,
            registry=registry,
            previous=held.head,
            created_ms=self._now_ms(),
            identity=None if new is None else new.digest,
        )
        request = ChangeRequest(
            statement=statement,
            signature=held.keys.sign(statement.message),
            new_signature=keys.sign(statement.message) if keys and action is Action.ROTATE else None,
            envelope=None if new is None else await self._work.client.sealed(new),
        )
        refusal: EnigmaError = RegistryBusy("another change came between", hint=_AGAIN)
        head = None
        try:
            head = await self._owner.change(request)
        except IdentityConflict:
            pass  # the log has moved on, perhaps by a first try whose answer got lost
        except (Unauthorized, NotRegistered) as error:
            refusal = error
        last = await self._last(own, registry)
        if (last.action, last.identity, last.previous) != (action, statement.identity, held.head):
            raise refusal
        if head not in (None, last.hash):
            raise IdentityRefused("its log does not end with the change that it acknowledged")


def _held(own: OwnIdentity, last: LogEntry) -> Held:
    keys = None if last.identity is None else own.keys_of(last.identity)
    if keys is None or keys.signing_public_key != last.signing_public_key:
        raise HandleTaken(
            "it holds keys that are not of this identity",
            hint="See: enigma-fed registry resolve NAME --url URL",
        )
    return Held(keys, last.hash)


def _next_keys(own: OwnIdentity, held: KeySet, action: Action, renew: Callable[..., KeySet]) -> KeySet:
    """The keys to bring to the registry: those that are kept and newer than its own, or fresh ones."""
    newest = own.keys[0]
    rotates = action is Action.ROTATE
    other_key = newest.signing_seed != held.signing_seed
    if newest != held and other_key == rotates:
        return newest
    if other_key and not rotates:
        raise Conflict(
            "the newest keys of this identity have another signing key",
            hint="Bring them to this registry: enigma-fed registry rotate NAME --url URL",
        )
    return renew(newest, signing=rotates)
