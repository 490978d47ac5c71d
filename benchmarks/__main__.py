"""`make bench`: every ratio, or those named: start, delta, answer, round, registry, million, onion, state,
footprint.

All of them take a quarter of an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from benchmarks import (
    answering,
    crowd,
    delta,
    footprint,
    get_state,
    onion_ready,
    polling,
    registry,
    registry_million,
    start_time,
)
from benchmarks.bareserver import BareServer
from benchmarks.report import Comparison, Reading, print_table
from enigma_fed.base import limits
from enigma_fed.demo.agentprocess import AgentProcess
from enigma_fed.demo.network import PrivateTorNetwork
from enigma_fed.demo.torprocess import PlainTor
from enigma_fed.transports.tor.binary import TorBinary, default_cache, find_tor

_ALONE: Final = ("start", "delta", "answer", "round", "registry", "million")
_ALL: Final = (*_ALONE, "onion", "state", "footprint")
_LOOK_SECONDS: Final = 0.5
# The machine that measures may have no time service; without this every call would be challenged.
_CLOCK: Final = '\n[clock]\nsynchronised = "assume"\n'


def main() -> None:
    """Run what the command line names and print one table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("what", nargs="*", default=list(_ALL), help=f"some of {', '.join(_ALL)}")
    wanted = set(parser.parse_args().what)
    if unknown := wanted - set(_ALL):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    rows: list[Comparison | Reading] = []
    if "start" in wanted:
        _say("start: 40 pairs of commands")
        rows.append(start_time.run())
    if "round" in wanted:
        _say("round: 33 000 polls among 10, 100 and 1000 peers, then 40 s of 1000 peers")
        rows += asyncio.run(polling.run())
    if "delta" in wanted:
        rows += delta.run()
    if "answer" in wanted:
        _say("answer: 12 rounds of 2048 requests to seven servers")
        rows += asyncio.run(_in_a_folder(answering.run))
    if "registry" in wanted:
        _say(f"registry: {registry.ROUNDS} rounds of 1024 requests of each kind")
        rows += asyncio.run(_in_a_folder(registry.run))
    if "million" in wanted:
        _say("million: a registry with a million identities; filling it takes a minute or two")
        rows += asyncio.run(_in_a_folder(registry_million.run))
    if wanted - set(_ALONE):
        rows += asyncio.run(_over_tor(wanted))
    print_table(rows)


async def _in_a_folder(
    run: Callable[[Path], Awaitable[Sequence[Comparison | Reading]]],
) -> Sequence[Comparison | Reading]:
    folder = Path(tempfile.mkdtemp(prefix="fed-bench-"))
    try:
        return await run(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _over_tor(wanted: set[str]) -> list[Comparison | Reading]:
    rows: list[Comparison | Reading] = []
    folder = Path(tempfile.mkdtemp(prefix="fed-bench-"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        network = PrivateTorNetwork()
        stack.push_async_callback(network.close)
        await network.start(lambda text: _say(f"tor network: {text}"))
        if "onion" in wanted:
            _say("onion: 24 pairs of fresh onions")
            (folder / "onion").mkdir()
            rows.append(await onion_ready.run(network, _tor(), folder / "onion"))
        if wanted & {"state", "footprint"}:
            rows += await _with_a_pair(stack, wanted, network, folder)
    return rows


async def _with_a_pair(
    stack: AsyncExitStack, wanted: set[str], network: PrivateTorNetwork, folder: Path
) -> list[Comparison | Reading]:
    bare = BareServer(folder)
    stack.push_async_callback(bare.close)
    torrc = network.client_torrc
    asked = AgentProcess("asked", folder / "asked", torrc + "\n" + bare.torrc_line, 60, _CLOCK)
    asking = AgentProcess("asking", folder / "asking", torrc, 60, _CLOCK)
    for agent in (asked, asking):
        stack.push_async_callback(agent.stop)
        agent.prepare()
        await agent.start()
    rows: list[Comparison | Reading] = []
    did, onion = await _join(asked, asking)
    crowded = asked
    if "footprint" in wanted:
        _say(f"footprint: an agent and {crowd.PEERS} homes")
        crowded = await crowd.start(stack, _tor(), torrc, folder, _CLOCK)
    started = time.monotonic()
    age = limits.CHALLENGE_AFTER_START + 5
    _say(f"both agents are joined; waiting until they are {age} s old")
    await asyncio.sleep(max(0.0, started + age - time.monotonic()))
    if "state" in wanted:
        _say("state: 320 pairs of requests")
        client = PlainTor(_tor(), folder / "client", [*torrc.splitlines(), "SocksPort auto"])
        stack.push_async_callback(client.stop)
        await client.start()
        await client.wait_bootstrapped()
        key = asking.data_dir / "identity" / "node.key"
        rows.append(await get_state.run(key, did, onion, await client.socks(), bare))
    if "footprint" in wanted:
        _say(f"footprint: waiting until the agents are {footprint.AGE_SECONDS} s old, then 60 s more")
        named = [("agent with 1 peer", asked), (f"agent with {crowd.PEERS} peers", crowded)]
        rows += await footprint.run([await _subject(name, agent) for name, agent in named], started)
        rows.append(await crowd.standing(crowded))
    return rows


async def _subject(name: str, agent: AgentProcess) -> footprint.Subject:
    status = await asyncio.to_thread((await agent.operations()).status)
    if agent.pid is None or status.tor is None or status.tor.pid is None:
        raise RuntimeError(f"the agent does not run:\n{agent.tail()}")
    return footprint.Subject(name, agent.pid, status.tor.pid)


async def _join(asked: AgentProcess, asking: AgentProcess) -> tuple[str, str]:
    """Make `asking` a confirmed member of `asked`; DID and onion of `asked`."""
    inviter, joiner = await asked.operations(), await asking.operations()
    invite = await asyncio.to_thread(inviter.invite_create, "observer", 3600)
    assert invite.code is not None
    await asyncio.to_thread(joiner.invite_accept, invite.code, "observer", False)
    while True:
        peers = await asyncio.to_thread(inviter.peer_list)
        if any(peer.stage == "confirmed" for peer in peers):
            return invite.did, invite.onion
        await asyncio.sleep(_LOOK_SECONDS)


def _tor() -> TorBinary:
    return find_tor(None, os.environ, default_cache(os.environ))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
