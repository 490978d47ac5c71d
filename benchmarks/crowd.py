"""An agent with ten peers on the private Tor network: polls every minute, and streams both ways."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from benchmarks.homes import Homes
from benchmarks.report import Reading
from enigma_fed.demo.agentprocess import AgentProcess
from enigma_fed.demo.torprocess import PlainTor
from enigma_fed.transports.tor.binary import TorBinary

PEERS: Final = 10
_LOOK_SECONDS: Final = 0.5


async def start(
    stack: AsyncExitStack, binary: TorBinary, client_torrc: str, folder: Path, extra_config: str
) -> AgentProcess:
    """Start the agent and its peers (whole agents in one process, behind one tor), and join them."""
    agent = AgentProcess("crowded", folder / "crowded", client_torrc, 60, extra_config)
    stack.push_async_callback(agent.stop)
    agent.prepare()
    await agent.start()
    lines = [*client_torrc.splitlines(), "SocksPort 127.0.0.1:auto ExtendedErrors"]
    tor = PlainTor(binary, folder / "homes-tor", lines)
    stack.push_async_callback(tor.stop)
    await tor.start()
    await tor.wait_bootstrapped()
    homes = Homes(folder / "homes", PEERS, tor)
    stack.push_async_callback(homes.close)
    await homes.start()
    await _join(agent, homes)
    return agent


async def _join(agent: AgentProcess, homes: Homes) -> None:
    """Make each home a confirmed member of the agent."""
    inviter = await agent.operations()
    for joiner in homes.operations:
        invite = await asyncio.to_thread(inviter.invite_create, "observer", 3600)
        assert invite.code is not None
        await asyncio.to_thread(joiner.invite_accept, invite.code, "observer", False)
    while True:
        peers = await asyncio.to_thread(inviter.peer_list)
        if sum(peer.stage == "confirmed" for peer in peers) == PEERS:
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def standing(agent: AgentProcess) -> Reading:
    """How many of its peers it has a stream of, for information: what the figures are of."""
    peers = await asyncio.to_thread((await agent.operations()).peer_list)
    streams = sum(peer.via == "stream" for peer in peers)
    name = f"agent with {PEERS} peers, streams of them"
    return Reading(name=name, value=streams, unit="streams", target=None, samples="at the end")
