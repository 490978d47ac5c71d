"""Which part of a registry answers which route."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from enigma_fed.base.registry_errors import InputRefused, Unauthorized
from enigma_fed.registry import openapi
from enigma_fed.registry.http import Answer, Call, Handler, Served, Table
from enigma_fed.registry.owners import Owners
from enigma_fed.registry.peerdoor import PeerDoor
from enigma_fed.registry.pow import ProofOfWork
from enigma_fed.registry.routes import ROUTES, Proof, served
from enigma_fed.registry.service import Registry
from enigma_fed.registry.settings import RegistrySettings
from enigma_fed.wire.registryreplies import PowChallenge

_PRICED: Final = frozenset(route.head for route in ROUTES if route.proof is Proof.WORK)


class Handlers:
    """The handlers of all routes, by the routes' names."""

    def __init__(self, registry: Registry, peers: PeerDoor, work: ProofOfWork) -> None:
        self._registry = registry
        self._owners = Owners(registry)
        self._peers = peers
        self._work = work
        self._document = b""
        self._again: tuple[int, Mapping[str, str]] = (0, MappingProxyType({}))
        """When to announce again, in seconds, and the field that tells it."""
        self._by_name: Mapping[str, Handler] = MappingProxyType(
            {
                "register": self._register,
                "resolve": self._resolve,
                "check_user": self._check_user,
                "announce": self._announce,
                "sync": self._sync,
                "nodes": self._nodes,
                "add_nodes": self._add_nodes,
                "envelope_pubkey": self._envelope_pubkey,
                "envelope_pubkeys": self._envelope_pubkeys,
                "pow_challenge": self._challenge,
                "openapi": self._openapi,
                "resolve_clear": self._resolve_clear,
                "registry": self._facts,
                "change": self._change,
                "log": self._log,
                "announce_signed": self._announce_signed,
                "presence": self._presence,
            }
        )

    def table(self, settings: RegistrySettings, *, pow_always: bool) -> Table:
        """What is served under these settings, by path and method."""
        exact: dict[str, dict[str, Served]] = {}
        below: dict[str, dict[str, Served]] = {}
        for route in served(settings, pow_always=pow_always):
            pays = route.proof is Proof.WORK and settings.pow.enabled
            if route.name == "register":
                pays = pays and settings.pow.register
            found = Served(route, self._by_name[route.name], pays, f"{route.name}-ok")
            place = exact if route.parameter is None else below
            place.setdefault(route.head, {})[route.method] = found
        return Table(exact, below)

    async def _register(self, call: Call) -> bytes:
        return await self._registry.register(call.body)

    async def _resolve(self, call: Call) -> bytes:
        return self._registry.resolve(call.body)

    async def _resolve_clear(self, call: Call) -> bytes:
        return self._registry.resolve_clear(call.argument)

    async def _check_user(self, call: Call) -> bytes:
        return self._registry.check_user(call.argument)

    async def _announce(self, call: Call) -> Answer:
        body = self._registry.announce(call.body, call.client)
        after = self._registry.presences.reannounce_after
        if self._again[0] != after:
            self._again = after, MappingProxyType({"Reannounce-After": str(after)})
        return Answer(body, self._again[1])

    async def _sync(self, call: Call) -> bytes:
        if not self._registry.settings.allow_sync:
            raise Unauthorized
        self._peers.check_sync(call)
        return await self._registry.sync(call.body)

    async def _nodes(self, call: Call) -> bytes:
        return self._registry.nodes()

    async def _add_nodes(self, call: Call) -> bytes:
        if not self._registry.settings.nodes_open:
            self._peers.check(call)
        return await self._registry.add_nodes(call.body)

    async def _envelope_pubkey(self, call: Call) -> bytes:
        return self._registry.envelope_key()

    async def _envelope_pubkeys(self, call: Call) -> bytes:
        return self._registry.envelope_keys()

    async def _challenge(self, call: Call) -> bytes:
        route = call.request.query.get("route")
        if route is not None and route not in _PRICED:
            raise InputRefused("route")
        made = self._work.challenge(route)
        return PowChallenge(made.text, made.difficulty, made.expires_ms).to_json()

    async def _openapi(self, call: Call) -> bytes:
        self._document = self._document or openapi.compact()
        return self._document

    async def _facts(self, call: Call) -> bytes:
        return self._owners.facts()

    async def _change(self, call: Call) -> bytes:
        return await self._owners.change(call.body)

    async def _log(self, call: Call) -> bytes:
        return self._owners.log(call.body)

    async def _announce_signed(self, call: Call) -> bytes:
        return self._owners.announce(call.body, call.client)

    async def _presence(self, call: Call) -> Answer:
        signed = self._peers.check(call)
        body = self._owners.presence(call.body)
        return Answer(body, self._peers.signed_reply(signed, body))
