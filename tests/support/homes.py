"""Homes for the tests over real Tor: agents as processes, and waiting for what they report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from enigma_fed.base.errors import EnigmaError
from enigma_fed.demo.agentprocess import AgentProcess
from enigma_fed.wire.views import NodeView, PeerView, StatusView

T = TypeVar("T")

PATIENCE = 150.0
"""Seconds until a wait over real Tor counts as failed; a killed tor's circuits take up to 60."""


async def ask(agent: AgentProcess, name: str, *arguments: object) -> object:
    """Call one operation of a running agent over its control socket."""
    operations = await agent.operations()
    return await asyncio.to_thread(getattr(operations, name), *arguments)


async def identity(agent: AgentProcess) -> NodeView:
    """Who the agent is."""
    return await _typed(agent, "identity", NodeView)


async def _typed(agent: AgentProcess, name: str, kind: type[T], *arguments: object) -> T:
    answer = await ask(agent, name, *arguments)
    assert isinstance(answer, kind)
    return answer


async def status(agent: AgentProcess) -> StatusView:
    """The agent's status."""
    return await _typed(agent, "status", StatusView)


async def peer(agent: AgentProcess, other: NodeView) -> PeerView | None:
    """How the agent sees another node."""
    peers = await ask(agent, "peer_list")
    assert isinstance(peers, list)
    return next((view for view in peers if view.did == other.did), None)


async def eventually(what: str, look: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return once `look` (sync or async) gives something true; fail with `what` after so many seconds."""
    last: object = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    last = look()
                    if asyncio.iscoroutine(last):
                        last = await last
                except EnigmaError as error:
                    last = error
                else:
                    if last:
                        return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:.0f} s: {what}; last seen: {last!r}") from None


async def synced(agent: AgentProcess, other: NodeView) -> bool:
    """Whether the agent has confirmed the other node, hears it, and holds its state."""
    view = await peer(agent, other)
    return (
        view is not None
        and view.stage in ("confirmed", "confirmed-both")
        and view.liveness == "up"
        and view.last_state is not None
    )
