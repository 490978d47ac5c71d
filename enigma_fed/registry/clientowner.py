"""A registry's versioned routes from the asking side: its facts, logs, owners' changes, signed presence.

Every method raises what those of RegistryClient raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from enigma_fed.base.errors import WireError
from enigma_fed.base.registry_client_errors import IdentityRefused, NotOffered, NotRegistered
from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.identity.signing import verify
from enigma_fed.registry.client import NOT_OPENED, RegistryClient
from enigma_fed.registry.clientcalls import read_answer
from enigma_fed.wire import envelope, ownerchange, registryreplies, registryv1
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.ownerstatement import ChangeRequest
from enigma_fed.wire.registrybodies import ResolveRequest
from enigma_fed.wire.registryv1 import RegistryFacts, SignedPresence
from enigma_fed.wire.userid import UserId

Random = Callable[[int], bytes]
CHANGES: Final = "change"
LOGS: Final = "log"
PRESENCES: Final = "signed_presence"


class OwnerClient:
    """What `client`'s registry offers beyond the routes of the first generation."""

    def __init__(self, client: RegistryClient, random: Random) -> None:
        self._client = client
        self._calls = client.calls
        self._random = random

    async def facts(self) -> RegistryFacts | None:
        """Who it is and what it offers; None from a registry of the first generation."""
        answer = await self._calls.find("GET", "/v1/registry")
        return None if answer is None else read_answer(answer, registryv1.read_facts)

    async def log(self, user: UserId) -> tuple[LogEntry, ...] | None:
        """An identity's whole log, which holds from its first entry on; None when there is no identity.

        Raises NotOffered from a registry without logs, IdentityRefused for a log that does not hold.
        """
        pepper, secret = self._client.known_pepper(), self._random(envelope.KEY_BYTES)
        requester = envelope.public_key(secret)
        body = ResolveRequest(user, requester).encode()
        answer = await self._calls.ask("POST", "/v1/log", body, pow_route="/v1/log")
        handle, sealed = read_answer(answer, registryreplies.read_resolved)
        if handle != user:
            raise IdentityRefused("it answers for another handle")
        if sealed is None:
            return None
        try:
            shared = envelope.shared_secret(secret, sealed.sender_public_key, "envelope.sender_pubkey")
            key = ownerchange.log_key(pepper, user, shared, sealed.kid, sealed.sender_public_key, requester)
            plain = envelope.unseal(key, user, sealed.nonce, sealed.ciphertext)
        except InputRefused:
            raise IdentityRefused("the envelope of its log does not open", hint=NOT_OPENED) from None
        try:
            entries = ownerchange.decode_log(plain)
            ownerchange.check_chain(entries, verify)
        except WireError as error:
            raise IdentityRefused(error.detail) from None
        if entries[0].user != user:
            raise IdentityRefused("its log is of another user")
        return entries

    async def change(self, request: ChangeRequest) -> bytes:
        """Make an owner's change; the hash of the entry that it became.

        Raises NotRegistered, IdentityConflict when the log had moved on.
        """
        answer = await self._calls.find("POST", "/v1/change", request.encode())
        if answer is None:
            raise NotRegistered("")
        return read_answer(answer, registryv1.read_changed)[1]

    async def announce(self, said: SignedPresence) -> int:
        """Announce with the owner's signature; in how many seconds the registry wants to hear it again."""
        answer = await self._calls.ask("POST", "/v1/announce", said.encode())
        return read_answer(answer, registryv1.read_announced)


def must_offer(facts: RegistryFacts | None, feature: str) -> RegistryFacts:
    """The facts of a registry that offers this; raises NotOffered."""
    if facts is None or feature not in facts.features:
        raise NotOffered("it takes no changes by their owners" if feature == CHANGES else "it keeps no logs")
    return facts
