"""The control socket, both ends: this user and root only, bounded, one answer per line."""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    AgentNotRunning,
    InviteExpired,
    OperationFailed,
    PeerNotFound,
    TryLater,
)
from enigma_fed.daemon import calls, control, controlclient
from enigma_fed.daemon.calls import Call, Params
from enigma_fed.daemon.control import ControlServer
from enigma_fed.daemon.controlclient import answers, call_agent
from enigma_fed.daemon.controlwire import decode_response, encode_request
from enigma_fed.transports.unixsocket import bind_private
from enigma_fed.wire.views import PingView

PING = PingView(did="d", name="n", latency_ms=1.0)
REF = calls.PeerRef(ref="n")


class Agent:
    """Serves what a test wants."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.calls: list[tuple[str, Params]] = []
        self.called = asyncio.Semaphore(0)

    async def serve(self, call: Call[Any], params: Params) -> object:
        self.calls.append((call.name, params))
        self.called.release()
        if self.hold is not None:
            await self.hold.wait()
        if self.error is not None:
            raise self.error
        return PING


@pytest.fixture
def path(runtime_dir: Path) -> Path:
    return runtime_dir / "agent.sock"


@pytest.fixture
def agent() -> Agent:
    return Agent()


@pytest_asyncio.fixture
async def server(path: Path, agent: Agent) -> AsyncIterator[ControlServer]:
    found = ControlServer(path, agent.serve)
    await found.start()
    yield found
    await found.close()


async def wait_for_calls(agent: Agent, count: int) -> None:
    async with asyncio.timeout(10):
        for _ in range(count):
            await agent.called.acquire()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def is_there(path: Path) -> bool:
    return path.exists()


async def ping(path: Path) -> PingView:
    return await asyncio.to_thread(call_agent, path, calls.PEER_PING, REF, 5.0)


@pytest.mark.usefixtures("server")
async def test_a_call_comes_back_typed(path: Path, agent: Agent) -> None:
    assert await ping(path) == PING
    assert agent.calls == [("peer_ping", REF)]


@pytest.mark.usefixtures("server")
async def test_an_error_of_the_agent_is_the_commands_error(path: Path, agent: Agent) -> None:
    agent.error = PeerNotFound("n", hint="See: enigma-fed peer list")
    with pytest.raises(PeerNotFound, match=r"n\. See: enigma-fed peer list"):
        await ping(path)


@pytest.mark.usefixtures("server")
async def test_a_fault_of_the_agent_tells_nothing_of_its_inside(path: Path, agent: Agent) -> None:
    agent.error = KeyError("fed1:secret")
    with pytest.raises(OperationFailed) as caught:
        await ping(path)
    assert "secret" not in str(caught.value)
    agent.error = InviteExpired()
    with pytest.raises(InviteExpired):
        await ping(path)


@pytest.mark.usefixtures("server")
async def test_invariant_10_the_socket_is_its_owners_alone(path: Path) -> None:
    assert mode(path) == 0o600


@pytest.mark.usefixtures("server")
async def test_invariant_10_another_local_user_gets_no_answer(
    path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "peer_uid", lambda _: 12345)
    with pytest.raises(OperationFailed):
        await ping(path)
    assert agent.calls == []


GROUP = 54321


@pytest.mark.parametrize(("groups", "admitted"), [({100, GROUP}, True), ({100, 101}, False)])
async def test_invariant_10_of_other_users_only_the_group_of_the_service_is_admitted(
    path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch, groups: set[int], admitted: bool
) -> None:
    monkeypatch.setattr(control, "peer_uid", lambda _: 12345)
    monkeypatch.setattr(control, "peer_groups", lambda _: frozenset(groups))
    server = ControlServer(path, agent.serve, group=GROUP)
    await server.start()
    assert mode(path) == 0o660
    if admitted:
        assert await ping(path) == PING
    else:
        with pytest.raises(OperationFailed):
            await ping(path)
    assert bool(agent.calls) is admitted
    await server.close()


@pytest.mark.usefixtures("server")
async def test_a_command_speaks_to_no_other_users_agent(
    path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controlclient, "peer_uid", lambda _: 12345)
    monkeypatch.setattr(controlclient.os, "geteuid", lambda: 1000)
    with pytest.raises(OperationFailed, match="another user"):
        await ping(path)
    assert agent.calls == []


@pytest.mark.usefixtures("server")
async def test_invariant_7_a_line_that_never_ends_is_cut(path: Path, agent: Agent) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"x" * (limits.CONTROL_LINE_BYTES + 2))
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    assert agent.calls == []
    assert await ping(path) == PING


@pytest.mark.usefixtures("server")
async def test_invariant_7_a_connection_that_says_nothing_is_closed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONTROL_IDLE_TIMEOUT", 0.01)
    reader, writer = await asyncio.open_unix_connection(path)
    assert await reader.read() == b""
    writer.close()


@pytest.mark.usefixtures("server")
async def test_invariant_7_too_many_commands_are_sent_away(path: Path, agent: Agent) -> None:
    agent.hold = asyncio.Event()
    held = [await asyncio.open_unix_connection(path) for _ in range(limits.CONTROL_CONNECTIONS)]
    for _, writer in held:
        writer.write(encode_request(1, calls.PEER_PING, REF))
    await wait_for_calls(agent, len(held))
    with pytest.raises(TryLater, match="too many commands"):
        await ping(path)
    agent.hold.set()
    for reader, writer in held:
        assert decode_response(await reader.readline(), calls.PEER_PING, 1) == PING
        writer.close()


async def test_without_an_agent_a_call_says_so(path: Path) -> None:
    with pytest.raises(AgentNotRunning) as caught:
        await ping(path)
    assert "enigma-fed run" in caught.value.hint
    bind_private(path).close()
    with pytest.raises(AgentNotRunning):
        await ping(path)
    assert not answers(path)


async def test_a_dead_agents_socket_is_replaced_and_a_stopped_one_leaves_none(
    path: Path, agent: Agent
) -> None:
    bind_private(path).close()
    assert is_there(path)
    server = ControlServer(path, agent.serve)
    await server.start()
    assert await ping(path) == PING
    await server.close()
    assert not is_there(path)


async def test_a_running_command_ends_when_the_agent_stops(path: Path, agent: Agent) -> None:
    server = ControlServer(path, agent.serve)
    await server.start()
    agent.hold = asyncio.Event()
    command = asyncio.create_task(ping(path))
    await wait_for_calls(agent, 1)
    await server.close()
    with pytest.raises(OperationFailed):
        await command


def test_an_agent_that_never_answers_is_not_waited_for_for_ever(path: Path) -> None:
    listening = bind_private(path)
    listening.listen()
    with pytest.raises(TryLater):
        call_agent(path, calls.PEER_PING, REF, 0.05)
    listening.close()
