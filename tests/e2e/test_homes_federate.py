"""The main job over a real private Tor network: invite, accept, confirm, share state, survive, remove."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest
import pytest_asyncio

from enigma_fed.base.errors import RefusedByPeer
from enigma_fed.demo.agentprocess import AgentProcess
from enigma_fed.wire.views import NodeView
from tests.support import secrets
from tests.support.homes import ask, eventually, identity, peer, status, synced
from tests.support.tornet import TorNetwork

pytestmark = [pytest.mark.tor, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]


def home(name: str, folder: Path, network: TorNetwork) -> AgentProcess:
    agent = AgentProcess(name, folder / name, network.client_torrc)
    agent.prepare()
    return agent


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pair(
    tor_network: TorNetwork, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[AgentProcess, AgentProcess]]:
    """Alice and Bob; Bob has accepted Alice's invite."""
    folder = tmp_path_factory.mktemp("pair")
    alice, bob = home("alice", folder, tor_network), home("bob", folder, tor_network)
    try:
        await alice.start()
        await bob.start()
        invite = await ask(alice, "invite_create", "observer", 3600)
        await ask(bob, "invite_accept", invite.code, "trusted", False)  # type: ignore[attr-defined]
        yield alice, bob
    finally:
        await alice.stop()
        await bob.stop()


async def test_both_sides_confirm_and_hold_each_others_state(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    alice, bob = pair
    a, b = await identity(alice), await identity(bob)
    await eventually("alice confirmed and synced bob", lambda: synced(alice, b))
    await eventually("bob confirmed and synced alice", lambda: synced(bob, a))

    bob_at_alice, alice_at_bob = await peer(alice, b), await peer(bob, a)
    assert bob_at_alice is not None
    assert alice_at_bob is not None
    assert (bob_at_alice.stage, alice_at_bob.stage) == ("confirmed", "confirmed-both")
    assert (bob_at_alice.trust_level, alice_at_bob.trust_level) == ("observer", "trusted")
    assert alice_at_bob.granted_trust == "observer"
    assert bob_at_alice.last_state is not None
    assert alice_at_bob.last_state is not None
    assert bob_at_alice.last_state.node_name == "bob"
    assert alice_at_bob.last_state.node_name == "alice"
    assert alice_at_bob.last_state.tor_active is True
    for agent, other in ((alice, "bob"), (bob, "alice")):
        log = (agent.data_dir / "log" / "agent.log").read_text()
        assert f"{other} (" in log
        assert "is confirmed on both sides" in log
    assert alice_at_bob.last_state.mem_total_bytes == psutil.virtual_memory().total // 1024 * 1024


async def test_both_have_each_others_states_pushed(pair: tuple[AgentProcess, AgentProcess]) -> None:
    """Gauges change every ten seconds, so the newest state soon came by a stream."""
    alice, bob = pair
    for agent, other in ((alice, await identity(bob)), (bob, await identity(alice))):

        async def pushed(agent: AgentProcess = agent, other: NodeView = other) -> bool:
            view = await peer(agent, other)
            return view is not None and (view.via, view.liveness) == ("stream", "up")

        await eventually(f"{agent.name} has {other.name}'s state by a stream", pushed)


async def test_the_tor_that_serves_is_not_the_tor_that_fetches(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    alice, bob = pair
    pids = []
    for agent in (alice, bob):
        tor = (await status(agent)).tor
        assert tor is not None
        assert tor.pid is not None
        assert tor.mode == "managed"
        process = psutil.Process(tor.pid)
        assert Path(process.exe()).name == "tor"
        assert process.ppid() == agent.pid
        pids.append(tor.pid)
    assert pids[0] != pids[1]


async def test_invariant_9_an_agent_connects_to_its_own_tor_and_to_nothing_else(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    for agent in pair:
        seen = await status(agent)
        tor, admin = seen.tor, seen.admin
        assert tor is not None
        assert agent.pid is not None
        listening = psutil.Process(tor.pid).net_connections("tcp")
        own_tor_ports = {each.laddr.port for each in listening if each.status == psutil.CONN_LISTEN}
        for connection in psutil.Process(agent.pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                assert "{}:{}".format(*connection.laddr) == admin
            else:
                assert connection.raddr.port in own_tor_ports


async def test_kill_9_of_an_agent_keeps_onion_and_members_and_sync_resumes(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    alice, bob = pair
    a, before = await identity(alice), await identity(bob)
    await eventually("alice synced bob", lambda: synced(alice, before))
    old_epoch = (await status(bob)).epoch
    bob.kill()
    assert await bob.wait() == -signal.SIGKILL
    await bob.start()
    assert await identity(bob) == before
    assert (await status(bob)).epoch != old_epoch
    known = await peer(bob, a)
    assert known is not None
    assert known.stage == "confirmed-both"
    await eventually("bob synced alice again", lambda: synced(bob, a))
    heard = (await peer(alice, before)).last_seen  # type: ignore[union-attr]

    async def heard_again() -> bool:
        view = await peer(alice, before)
        return view is not None and view.liveness == "up" and view.last_seen != heard

    await eventually("alice heard bob again", heard_again)


async def test_kill_9_of_a_tor_brings_back_the_same_onion_and_sync_resumes(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    alice, bob = pair
    b = await identity(bob)
    tor = (await status(bob)).tor
    assert tor is not None
    assert tor.pid is not None
    os.kill(tor.pid, signal.SIGKILL)

    async def another_tor_is_ready() -> bool:
        now = (await status(bob)).tor
        return now is not None and now.phase == "ready" and now.pid not in (None, tor.pid)

    await eventually("bob's new tor is ready", another_tor_is_ready)
    assert (await identity(bob)).onion == b.onion
    await eventually("alice reaches bob's new tor", lambda: ask(alice, "peer_ping", b.did), 240)


async def test_invariant_6_a_removed_peer_is_refused_over_tor(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    alice, bob = pair
    a, b = await identity(alice), await identity(bob)
    await eventually("bob synced alice", lambda: synced(bob, a))
    await ask(alice, "peer_remove", b.did)
    assert await peer(alice, b) is None

    with pytest.raises(RefusedByPeer) as refused:
        await ask(bob, "peer_sync", a.did)
    assert refused.value.code == "removed"
    assert await peer(alice, b) is None
    told = await peer(bob, a)
    assert told is not None
    assert told.stage == "refused"


async def test_invariant_8_no_log_of_all_this_holds_a_secret_or_a_whole_onion_name(
    pair: tuple[AgentProcess, AgentProcess],
) -> None:
    onions = [(await identity(agent)).onion for agent in pair]
    known = [secret for agent in pair for secret in secrets.of_node(agent.name, agent.data_dir)]
    for agent in pair:
        cookie = agent.data_dir / "tor" / "state" / "control_auth_cookie"
        known.append(secrets.of_bytes("control cookie", await asyncio.to_thread(cookie.read_bytes)))
    for path in [path for agent in pair for path in sorted(agent.folder.rglob("*.log*"))]:
        data = await asyncio.to_thread(path.read_bytes)
        assert secrets.found_in(data, known) == [], path
        assert [onion[:6] for onion in onions if onion[6:56].encode() in data] == [], path


async def test_an_invite_accepted_while_the_inviter_is_away_is_delivered_later(
    tor_network: TorNetwork, tmp_path: Path
) -> None:
    carol, dave = home("carol", tmp_path, tor_network), home("dave", tmp_path, tor_network)

    def carol_says(*arguments: str) -> bytes:
        command = [sys.executable, "-m", "enigma_fed", "--config", str(carol.config_file), "--json"]
        command += ["--data-dir", str(carol.data_dir), *arguments]
        return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout

    await asyncio.to_thread(carol_says, "init")
    invite = msgspec.json.decode(await asyncio.to_thread(carol_says, "invite", "create"))
    try:
        await dave.start()
        accepted = await ask(dave, "invite_accept", invite["code"], "observer", False)
        assert accepted.stage == "accepted-here"  # type: ignore[attr-defined]

        async def tried_in_vain() -> bool:
            invites = await ask(dave, "invite_list")
            assert isinstance(invites, list)
            return invites[0].stage == "accepted-here" and invites[0].last_error is not None

        await eventually("dave tried while carol was away", tried_in_vain)
        await carol.start()
        await eventually("carol confirmed dave", lambda: _synced_both(carol, dave))
    finally:
        await carol.stop()
        await dave.stop()


async def _synced_both(one: AgentProcess, other: AgentProcess) -> bool:
    return await synced(one, await identity(other)) and await synced(other, await identity(one))


async def test_without_network_the_agent_is_up_and_says_how_far_tor_got_and_why(
    tor_network: TorNetwork, tmp_path: Path
) -> None:
    lonely = AgentProcess("lonely", tmp_path / "lonely", tor_network.client_torrc_of_nobody)
    lonely.prepare()
    try:
        await lonely.start()

        async def tor_says_why() -> bool:
            tor = (await status(lonely)).tor
            return tor is not None and tor.phase == "bootstrapping" and tor.percent < 100 and bool(tor.reason)

        await eventually("status says why Tor gets no further", tor_says_why)
        steps = (await status(lonely)).next_steps
        assert any("everything on this machine works meanwhile" in step for step in steps)
        invite = await ask(lonely, "invite_create", "observer", 3600)
        assert invite.code.startswith("fed1:")  # type: ignore[attr-defined]
        assert await ask(lonely, "peer_list") == []
    finally:
        assert await lonely.stop() == 0
