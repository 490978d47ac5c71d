"""Whole agents in one process, without Tor: they reach each other over loopback under their onion names."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
from pathlib import Path

import pytest

from enigma_fed.base.errors import (
    AgentRunning,
    ConfigError,
    LooseModes,
    PeerUnreachable,
    PortInUse,
    RefusedByPeer,
    StoreDamaged,
    TorMissing,
)
from enigma_fed.config import RpcSettings, Settings, TorSection
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.listeners import bind_loopback
from enigma_fed.daemon.operations import RemoteOperations, open_operations
from enigma_fed.daemon.paths import Paths
from enigma_fed.storage.folderlock import FolderLock
from enigma_fed.wire.join import TokenlessJoin
from tests.support.agents import Build, federate


async def test_run_on_an_empty_folder_makes_a_node_and_keeps_it(build: Build) -> None:
    home = build("attic")
    await home.start()
    first = await home.ask("status")
    assert first.running
    assert (first.pid, first.tor.phase, first.node.name) == (os.getpid(), "off", "attic")
    assert first.state.mem_total_bytes > 0
    assert any("invite create" in step for step in first.next_steps)
    await home.agent.close()
    assert not is_there(home.paths.control_socket)
    await home.start()
    second = await home.ask("status")
    assert second.node == first.node
    assert second.epoch != first.epoch


def is_there(path: Path) -> bool:
    return path.exists()


async def test_two_homes_federate_and_hold_each_others_state(build: Build) -> None:
    attic, cellar = build("attic"), build("cellar")
    await attic.start()
    await cellar.start()
    await federate(attic, cellar)
    at_attic, at_cellar = await attic.peer(cellar), await cellar.peer(attic)
    assert (at_attic.stage, at_cellar.stage) == ("confirmed", "confirmed-both")
    assert (at_attic.liveness, at_cellar.liveness) == ("up", "up")
    assert at_attic.last_state is not None
    assert at_attic.last_state.node_name == "cellar"
    assert at_cellar.last_state is not None
    assert at_cellar.last_state.node_name == "attic"
    ping = await attic.ask("peer_ping", "cellar")
    assert ping.latency_ms > 0


async def test_the_bytes_of_a_day_are_counted_on_both_sides_until_the_peer_is_removed(build: Build) -> None:
    attic, cellar = build("attic"), build("cellar")
    await attic.start()
    await cellar.start()
    await federate(attic, cellar)
    here, there = await attic.peer(cellar), await cellar.peer(attic)
    # The joiner's first request came from a stranger: what it brought counts once the join is done.
    assert min(here.bytes_in, here.bytes_out) > 1000
    assert (here.bytes_in, here.bytes_out) == (there.bytes_out, there.bytes_in)
    key = bytes.fromhex(here.pubkey)
    await attic.ask("peer_remove", "cellar")
    assert attic.agent.node._traffic.day(key) == (0, 0)


async def test_what_was_learned_survives_an_orderly_stop(build: Build) -> None:
    attic, cellar = build("attic"), build("cellar")
    await attic.start()
    await cellar.start()
    await federate(attic, cellar)
    before = await attic.peer(cellar)
    await attic.agent.close()
    await attic.start()
    after = await attic.peer(cellar)
    assert (after.stage, after.last_state, after.last_seen) == (
        before.stage, before.last_state, before.last_seen,
    )  # fmt: skip
    assert after.liveness == "unknown"


async def test_invariant_6_a_removed_peer_is_refused_at_once(build: Build) -> None:
    attic, cellar = build("attic"), build("cellar")
    await attic.start()
    await cellar.start()
    await federate(attic, cellar)
    await attic.ask("peer_remove", "cellar")
    with pytest.raises(RefusedByPeer) as caught:
        await cellar.ask("peer_sync", (await attic.ask("identity")).did)
    assert caught.value.code == "removed"


async def test_a_peer_that_is_away_is_unreachable_and_its_join_waits(build: Build) -> None:
    attic, cellar = build("attic"), build("cellar")
    await attic.start()
    code = (await attic.ask("invite_create", "observer", 3600)).code
    await attic.agent.close()
    await cellar.start()
    accepted = await cellar.ask("invite_accept", code, "observer", False)
    assert accepted.stage == "accepted-here"
    with pytest.raises(PeerUnreachable):
        await cellar.ask("peer_sync", accepted.did)
    await attic.start()
    await cellar.ask("peer_sync", accepted.did)
    assert (await cellar.peer(attic)).stage == "confirmed-both"


async def test_the_node_reaches_itself(build: Build) -> None:
    home = build("attic")
    await home.start()
    assert await home.agent.node.reaches_itself()
    assert (await home.ask("status")).warnings == []


async def test_a_copy_of_the_node_that_answers_at_its_onion_is_noticed(build: Build) -> None:
    home = build("attic")
    await home.start()
    copy = build("copy")
    copy.paths = Paths(home.paths.data_dir.with_name("copied"), None, home.paths.runtime_dir)
    await asyncio.to_thread(_copy, home.paths.data_dir, copy.paths.data_dir)
    await copy.start()
    assert not await home.agent.node.reaches_itself()
    assert any("copy of this node" in warning for warning in (await home.ask("status")).warnings)


def _copy(source: Path, target: Path) -> None:
    import shutil

    # What is written anew at each start may come and go meanwhile.
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("history.db*"))
    (target / "lock").unlink()


async def test_a_second_agent_on_the_folder_is_refused_and_the_first_goes_on(build: Build) -> None:
    home = build("attic")
    await home.start()
    second = Agent(home.settings, home.paths, keep_log=False)
    with pytest.raises(AgentRunning, match=str(os.getpid())):
        await second.start()
    assert (await home.ask("status")).running


async def test_commands_find_the_agent(build: Build) -> None:
    home = build("attic")
    await home.start()
    for mutating in (False, True):
        found = await asyncio.to_thread(open_operations, home.paths, home.settings, mutating=mutating)
        assert isinstance(found, RemoteOperations)


async def start_fails(paths: Paths, settings: Settings) -> None:
    """Start an agent that must not come up, and see that it leaves nothing held."""
    agent = Agent(settings, paths, keep_log=False)
    try:
        await agent.start()
    finally:
        assert FolderLock(paths.data_dir).holder() is None
        assert not is_there(paths.control_socket)
        await agent.close()


async def test_a_port_in_use_is_named_and_everything_is_given_back(paths: Paths, settings: Settings) -> None:
    taken = bind_loopback("127.0.0.1", 0)
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(PortInUse, match=address):
        await start_fails(paths, dataclasses.replace(settings, rpc=RpcSettings(listen=address)))
    taken.close()


async def test_a_missing_tor_says_how_to_get_it(paths: Paths, settings: Settings) -> None:
    tor = TorSection(binary="/nowhere/tor")
    with pytest.raises(TorMissing) as caught:
        await start_fails(paths, dataclasses.replace(settings, tor=tor))
    assert "apt install tor" in caught.value.hint
    assert not is_there(paths.node_key)


async def test_with_tor_switched_off_a_peer_is_unreachable_and_the_reason_is_said(
    build: Build, paths: Paths, settings: Settings
) -> None:
    attic = build("attic")
    await attic.start()
    code = (await attic.ask("invite_create", "observer", 3600)).code
    agent = Agent(settings, paths, keep_log=False)
    await agent.start()
    operations = RemoteOperations(paths.control_socket)
    accepted = await asyncio.to_thread(operations.invite_accept, code, "observer", False)
    with pytest.raises(PeerUnreachable, match="switched off"):
        await asyncio.to_thread(operations.peer_sync, accepted.did)
    await agent.close()


async def test_extra_lines_for_tor_that_cannot_be_read_are_an_error(paths: Paths, settings: Settings) -> None:
    tor = TorSection(torrc_extra="/nowhere/torrc")
    with pytest.raises(ConfigError, match="torrc_extra"):
        await start_fails(paths, dataclasses.replace(settings, tor=tor))


async def test_loose_modes_and_damaged_files_stop_the_start(
    build: Build, paths: Paths, settings: Settings
) -> None:
    home = build("attic")
    await home.start()
    await home.agent.close()
    home.paths.node_key.chmod(0o644)
    with pytest.raises(LooseModes, match=r"node\.key"):
        await start_fails(home.paths, settings)
    home.paths.node_key.chmod(0o600)
    for name in ("nodes.json", "nodes.json.bak"):
        (home.paths.federation_dir / name).unlink()
    with pytest.raises(StoreDamaged, match=r"nodes\.json"):
        await start_fails(home.paths, settings)


PROGRAM = """
import sys
from pathlib import Path
from enigma_fed import config
from enigma_fed.daemon.lifecycle import run_agent
from enigma_fed.daemon.paths import Paths
flags = {"tor.mode": "off", "rpc.listen": "", "admin.listen": ""}
run_agent(config.load(None, {}, flags).settings, Paths(Path(sys.argv[1]), None, Path(sys.argv[2])))
"""


async def start_process(paths: Paths) -> asyncio.subprocess.Process:
    """An agent as a process; returns once it takes commands."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, str(paths.data_dir), str(paths.runtime_dir)),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while line := await process.stderr.readline():
            if b" is up as " in line:
                return process
    raise AssertionError("it ended")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_agent_in_order(paths: Paths, number: signal.Signals) -> None:
    process = await start_process(paths)
    process.send_signal(number)
    async with asyncio.timeout(10):
        await process.communicate()
    assert process.returncode == 0
    assert not is_there(paths.control_socket)
    assert "is up as" in paths.log_file.read_text(encoding="utf-8")


async def test_invariant_5_kill_9_loses_no_acknowledged_change(paths: Paths) -> None:
    process = await start_process(paths)
    operations = RemoteOperations(paths.control_socket)
    made = await asyncio.to_thread(operations.invite_create, "observer", 3600)
    process.kill()
    await process.communicate()
    assert is_there(paths.control_socket)
    again = await start_process(paths)
    found = await asyncio.to_thread(operations.invite_list)
    assert found == [made]
    again.terminate()
    await again.communicate()
    assert again.returncode == 0


async def test_invariant_2_what_is_not_signed_reaches_two_methods(settings: Settings, paths: Paths) -> None:
    """`federation.get-state` by the old header set, and a join without a token: see rpc/legacydoor.py."""
    agent = Agent(settings, paths, keep_log=False)
    await agent.start()
    try:
        table = agent.node._endpoint._gate._legacy._methods
        assert table.names == ("federation.get-state", "federation.peer-joined")
        join = table.find("federation.peer-joined")
        assert join is not None
        assert join.params is TokenlessJoin
    finally:
        await agent.close()


async def test_invariant_1_the_gate_tells_the_clock_what_it_let_in(settings: Settings, paths: Paths) -> None:
    agent = Agent(settings, paths, keep_log=False)
    await agent.start()
    try:
        assert agent.node._endpoint._gate._freshness._let_in == agent.node._clock_state.let_in
    finally:
        await agent.close()
