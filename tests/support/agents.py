"""Whole agents in one process, without Tor: they reach each other over loopback under their onion names."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from enigma_fed.base.clock import Clock
from enigma_fed.config import Settings
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.operations import RemoteOperations
from enigma_fed.daemon.paths import Paths
from enigma_fed.rpc.client import SigningRequest
from enigma_fed.transports.replybounds import bound_replies
from enigma_fed.wire.snapshot import App
from enigma_fed.wire.views import PeerView


class Onions(AbstractResolver):
    """Onion name -> loopback port: the private network of one test."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host not in self.ports:
            raise OSError(f"no such onion: {host[:6]}")
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=self.ports[host], family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass

    def session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(resolver=self, use_dns_cache=False, family=socket.AF_INET)
        bound_replies(connector)
        return aiohttp.ClientSession(connector=connector, request_class=SigningRequest)


class Home:
    """One agent with its operations, called as a command would, in a thread."""

    def __init__(self, paths: Paths, settings: Settings, onions: Onions, clock: Clock | None = None) -> None:
        self.clock = clock
        self.apps: tuple[App, ...] = ()
        self.paths = paths
        self.settings = settings
        self._onions = onions
        self.agent = self._agent()

    def _agent(self) -> Agent:
        agent = Agent(
            self.settings, self.paths, clock=self.clock, session=self._onions.session, keep_log=False
        )
        agent._surroundings = dataclasses.replace(agent._surroundings, apps=lambda: self.apps)
        return agent

    async def start(self) -> None:
        self.agent = self._agent()
        await self.agent.start()
        status = await self.ask("status")
        self._onions.ports[status.node.onion] = int(status.listen.rpartition(":")[2])

    async def ask(self, name: str, *arguments: object) -> Any:
        operations = RemoteOperations(self.paths.control_socket)
        return await asyncio.to_thread(getattr(operations, name), *arguments)

    async def peer(self, other: Home) -> PeerView:
        did = (await other.ask("identity")).did
        found: PeerView = await self.ask("peer_show", did)
        return found


Build = Callable[[str], Home]
"""A home of this name, not started yet."""


async def federate(inviter: Home, joiner: Home) -> None:
    code = (await inviter.ask("invite_create", "observer", 3600)).code
    await joiner.ask("invite_accept", code, "observer", False)
    joiners_name = (await joiner.ask("identity")).did
    inviters_name = (await inviter.ask("identity")).did
    await joiner.ask("peer_sync", inviters_name)
    await inviter.ask("peer_sync", joiners_name)
