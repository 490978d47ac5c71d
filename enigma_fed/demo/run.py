"""The guided demo: a private Tor network, agents of their own, invites, joins, polls, streams."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from enigma_fed.base.errors import EnigmaError, OperationFailed
from enigma_fed.demo import kept
from enigma_fed.demo.agentprocess import AgentProcess
from enigma_fed.demo.network import PrivateTorNetwork
from enigma_fed.demo.report import DemoResult, NodeLine, PairLine, pair_lines, table
from enigma_fed.wire.views import NodeView, TorView

_NAMES: Final = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
_DEADLINE_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 0.5
_INVITE_TTL_SECONDS: Final = 3600
_INTERRUPTED: Final = 130


@dataclass(slots=True)
class Progress:
    """Lines on stderr, each with the seconds since the start; a line is said once."""

    started: float = field(default_factory=time.monotonic)
    _said: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def say(self, text: str) -> None:
        """Print one line."""
        print(f"[{self.seconds:5.0f} s] {text}", file=sys.stderr, flush=True)

    def about(self, subject: str, text: str) -> None:
        """Print a line about a subject, unless that was the last one about it."""
        if self._said.get(subject) != text:
            self._said[subject] = text
            self.say(f"{subject:<14} {text}")


async def run_demo(nodes: int, keep: bool, json_output: bool) -> int:
    """Run the demo with so many nodes (2 to NODES_MAX); the exit code.

    `keep` leaves everything up until Ctrl-C; `json_output` ends with one JSON line on stdout.
    """
    progress = Progress()
    progress.say(
        f"{nodes} homes on a private Tor network on this machine. This takes about a minute, at most 5."
    )
    folder = Path(tempfile.mkdtemp(prefix="enigma-fed-demo-"))
    stopped = _stop_on_signals()
    demo = _Demo(folder, nodes, progress)
    main = asyncio.create_task(demo.run(json_output, stopped if keep else None))
    stop = asyncio.create_task(stopped.wait())
    gone = False
    try:
        await asyncio.wait({main, stop}, return_when=asyncio.FIRST_COMPLETED)
        if main.done() or demo.finished:
            code = await main
            gone = stopped.is_set()
            return code
        progress.say("stopping")
        main.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await main
        gone = True
        return _INTERRUPTED
    finally:
        stop.cancel()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        if gone:
            progress.say("stopped; everything is removed")


def _stop_on_signals() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    return stopped


class _Demo:
    """One run: the network, the agents, and their end whatever happens."""

    def __init__(self, folder: Path, nodes: int, progress: Progress) -> None:
        self._folder = folder
        self._names = _NAMES[:nodes]
        self._progress = progress
        self._agents: list[AgentProcess] = []
        self._nodes: list[NodeView] = []
        self._pairs: list[PairLine] = []
        self.finished = False
        """Whether the result is out; what comes after it is no interruption."""

    async def run(self, json_output: bool, keep_until: asyncio.Event | None) -> int:
        """The exit code; with `keep_until` everything stays up until it is set."""
        network = PrivateTorNetwork()
        try:
            with contextlib.suppress(TimeoutError):  # what there is by then is the result
                async with asyncio.timeout(_DEADLINE_SECONDS):
                    await self._federate(network)
            result = self._result()
            self.finished = True
            self._print(result, json_output)
            if keep_until is not None:
                await _print_commands(self._agents)
                await keep_until.wait()
            return 0 if result.ok else 1
        finally:
            await asyncio.gather(*(agent.stop() for agent in self._agents), return_exceptions=True)
            await network.close()

    async def _federate(self, network: PrivateTorNetwork) -> None:
        await network.start(lambda text: self._progress.about("tor network", text))
        for name in self._names:
            agent = AgentProcess(name, self._folder / name, network.client_torrc)
            self._agents.append(agent)
            agent.prepare()
            await agent.start()
        for agent in self._agents:
            node = await _node_of(agent)
            self._nodes.append(node)
            self._progress.about(node.name, f"is {node.did[:20]}…")
        await _invite_everyone(self._agents, self._progress)
        async for pairs in _watch(self._agents, self._nodes, self._progress):
            self._pairs = pairs

    def _result(self) -> DemoResult:
        wanted = len(self._names) * (len(self._names) - 1)
        return DemoResult(
            ok=len(self._pairs) == wanted and all(pair.done for pair in self._pairs),
            seconds=round(self._progress.seconds, 1),
            nodes=[NodeLine(did=node.did, onion=node.onion, name=node.name) for node in self._nodes],
            pairs=self._pairs,
        )

    def _print(self, result: DemoResult, json_output: bool) -> None:
        if not result.ok:
            self._progress.say(f"not every pair was synced and live within {_DEADLINE_SECONDS:.0f} s")
            for agent in self._agents:
                self._progress.say(f"last words of {agent.name}:\n{agent.tail()}")
        if json_output:
            print(msgspec.json.encode(result).decode("utf-8"), flush=True)
            return
        print(table(result.pairs))
        if result.ok:
            done = f"{_all(len(result.pairs))} directions are confirmed on both sides, synced and live"
            print(f"\n{done}, after {result.seconds:.0f} s.")


def _all(count: int) -> str:
    return "Both" if count == 2 else f"All {count}"


async def _node_of(agent: AgentProcess) -> NodeView:
    operations = await agent.operations()
    return await asyncio.to_thread(operations.identity)


async def _invite_everyone(agents: list[AgentProcess], progress: Progress) -> None:
    for number, inviter in enumerate(agents):
        for joiner in agents[number + 1 :]:
            invite = await asyncio.to_thread(
                (await inviter.operations()).invite_create, "observer", _INVITE_TTL_SECONDS
            )
            if invite.code is None:
                raise OperationFailed(f"{inviter.name} made an invite without a code")
            accept = (await joiner.operations()).invite_accept
            await asyncio.to_thread(accept, invite.code, "observer", False)
            progress.say(f"{inviter.name} invited {joiner.name}, {joiner.name} accepted")


async def _watch(
    agents: list[AgentProcess], nodes: list[NodeView], progress: Progress
) -> AsyncIterator[list[PairLine]]:
    """How every pair is now, again and again until all are done."""
    while True:
        peers = {}
        for agent, node in zip(agents, nodes, strict=True):
            operations = await agent.operations()
            peers[node.did] = await asyncio.to_thread(operations.peer_list)
            status = await asyncio.to_thread(operations.status)
            if status.tor is not None:
                progress.about(agent.name, _tor_line(status.tor))
        pairs = pair_lines(nodes, peers)
        for pair in pairs:
            if pair.stage != "none":
                progress.about(f"{pair.source}→{pair.target}", _pair_text(pair))
        yield pairs
        if all(pair.done for pair in pairs):
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _tor_line(tor: TorView) -> str:
    meaning: dict[str, Callable[[], str]] = {
        "bootstrapping": f"Tor {tor.percent} % {tor.summary}".rstrip,
        "publishing": lambda: "Tor 100 %, publishing the descriptor of the onion service",
        "probing": lambda: "descriptor uploaded, trying to reach itself through Tor",
        "ready": lambda: "reachable through Tor",
    }
    text = meaning.get(tor.phase, lambda: f"Tor {tor.phase}")()
    return f"{text} ({tor.reason})" if tor.reason else text


def _pair_text(pair: PairLine) -> str:
    if pair.done:
        return f"{pair.stage}, synced, live by a stream"
    return f"{pair.stage}, synced" if pair.synced else pair.stage


async def _print_commands(agents: list[AgentProcess]) -> None:
    admin = None
    with contextlib.suppress(EnigmaError):  # the other commands can be tried all the same
        operations = await agents[0].operations()
        admin = (await asyncio.to_thread(operations.status)).admin
    program = Path(sys.executable).with_name("enigma-fed")
    print("", *kept.commands(program, agents, admin), sep="\n", file=sys.stderr, flush=True)
