"""A managed tor on the private network: ready, reached from another tor, restarted, reloaded."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable, TorControlFailed
from enigma_fed.base.ids import OnionAddress
from enigma_fed.demo.torprocess import PlainTor
from enigma_fed.transports.tor.binary import TorBinary
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.public import OnionEntry, PublicOnion
from enigma_fed.transports.tor.session import onion_session
from enigma_fed.transports.tor.status import PublicPhase, TorPhase
from tests.support.prerequisites import missing
from tests.support.torhomes import ManagedHome as Home
from tests.support.torhomes import patiently
from tests.support.tornet import TorNetwork

pytestmark = [pytest.mark.tor, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def home(tor_network: TorNetwork, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    home = Home(tmp_path_factory.mktemp("home"), tor_network, bytes(range(32)))
    await home.start()
    async with asyncio.timeout(90):
        await home.tor.wait_ready()
    yield home
    await home.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def visitor(
    tor_network: TorNetwork, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PlainTor]:
    tor = tor_network.plain_client(tmp_path_factory.mktemp("visitor"))
    await tor.start()
    await tor.wait_bootstrapped()
    yield tor
    await tor.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def call(visitor: PlainTor) -> AsyncIterator[aiohttp.ClientSession]:
    endpoint = await visitor.socks()
    async with onion_session(lambda: endpoint, isolation_key=os.urandom(16)) as session:
        yield session


def can_cut_off() -> bool:
    """Whether a program can be run without any network here."""
    return (
        bool(shutil.which("unshare"))
        and subprocess.run(["unshare", "-rn", "true"], check=False).returncode == 0
    )


async def test_it_gets_ready_by_way_of_every_phase(home: Home) -> None:
    phases = list(dict.fromkeys(status.phase for status in home.history))
    assert phases[:5] == [
        TorPhase.STARTING,
        TorPhase.BOOTSTRAPPING,
        TorPhase.PUBLISHING,
        TorPhase.PROBING,
        TorPhase.READY,
    ]
    percents = [status.percent for status in home.history]
    assert percents == sorted(percents)
    assert home.tor.status.version.startswith("0.4.")
    assert home.tor.status.reason == ""


async def test_another_tor_gets_and_posts(home: Home, call: aiohttp.ClientSession) -> None:
    url = f"http://{home.key.address}/"
    assert await patiently(call, url) == "you said "
    async with call.post(url, data=b"x" * 60_000) as response:
        assert await response.read() == b"you said " + b"x" * 60_000


async def test_connections_of_one_user_share_a_circuit_and_another_users_do_not(
    home: Home, visitor: PlainTor
) -> None:
    endpoint = await visitor.socks()
    for key in (b"a" * 16, b"b" * 16):
        async with onion_session(lambda: endpoint, isolation_key=key) as session:
            home.circuits.append(0)
            await asyncio.gather(*(patiently(session, f"http://{home.key.address}/") for _ in range(2)))
    first, second = home.circuits[-5:-3], home.circuits[-2:]
    assert len(set(first)) == len(set(second)) == 1
    assert first[0] != second[0]


async def test_files_and_folders_are_private(home: Home) -> None:
    base = home.settings.data_dir
    assert not [path for path in base.rglob("*") if path.stat().st_mode & 0o077]
    assert base.stat().st_mode & 0o077 == 0
    assert home.socket.stat().st_mode & 0o777 == 0o600


async def test_an_address_that_nobody_published_is_said_to_be_offline(call: aiohttp.ClientSession) -> None:
    nobody = OnionKey(b"\7" * 32).address
    with pytest.raises(PeerUnreachable, match="not published"):
        await call.get(f"http://{nobody}/")


async def test_an_onion_that_was_missed_is_looked_up_again_before_anyone_calls(
    home: Home, visitor: PlainTor
) -> None:
    reply = await visitor.ask("ADD_ONION NEW:ED25519-V3 Flags=DiscardPK Port=80,127.0.0.1:1")
    label = next(line for line in reply if line.startswith("ServiceID=")).partition("=")[2]
    link = home.tor._link
    assert link is not None

    async def is_known() -> bool:
        try:
            return "hs-descriptor" in await link._get(f"hs/client/desc/id/{label}")
        except TorControlFailed:
            return False

    assert not await is_known()
    async with asyncio.timeout(60):
        while not await is_known():
            home.tor.look_again(OnionAddress.parse(f"{label}.onion"))
            await asyncio.sleep(0.5)


async def test_an_onion_for_strangers_comes_and_goes_and_leaves_the_connections_alone(
    home: Home, call: aiohttp.ClientSession
) -> None:
    await patiently(call, f"http://{home.key.address}/")
    connections, pid = home.listener.connections, home.tor.status.pid
    strangers = OnionKey(os.urandom(32))
    home.tor.publish(PublicOnion(strangers, (OnionEntry(8443, Endpoint.unix(str(home.socket))),)))
    await home.sees(lambda status: status.public.phase is PublicPhase.READY)
    assert await patiently(call, f"http://{strangers.address}:8443/") == "you said "
    for onion, port in ((strangers, 80), (home.key, 8443)):  # neither carries what the other does
        with pytest.raises(PeerUnreachable):
            await call.get(f"http://{onion.address}:{port}/")
    assert home.listener.connections > connections
    assert home.tor.status.pid == pid
    home.tor.publish(None)
    await home.sees(lambda status: status.public.phase is PublicPhase.OFF)
    assert home.tor.status.ready


async def test_kill_9_of_tor_is_noticed_at_once_and_the_same_onions_come_back(
    home: Home, call: aiohttp.ClientSession
) -> None:
    strangers = OnionKey(b"\x0e" * 32)
    home.tor.publish(PublicOnion(strangers, (OnionEntry(8443, Endpoint.unix(str(home.socket))),)))
    before = home.tor.status
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    failed = await home.reaches(TorPhase.FAILED, seconds=2)
    assert "killed (signal 9)" in failed.reason
    assert home.tor.socks is None
    ready = await home.reaches(TorPhase.READY)
    assert ready.pid != before.pid
    assert ready.restarts == before.restarts + 1
    assert home.tor.socks is not None
    assert await patiently(call, f"http://{home.key.address}/") == "you said "
    await home.sees(lambda status: status.public.phase is PublicPhase.READY)
    assert await patiently(call, f"http://{strangers.address}:8443/") == "you said "
    home.tor.publish(None)


async def test_a_tor_that_hangs_is_noticed_by_its_silence_and_replaced(
    tor_network: TorNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOR_HEARTBEAT", 0.5)
    monkeypatch.setattr(limits, "TOR_STOP_TIMEOUT", 1)
    home = Home(tmp_path, tor_network, b"\x0b" * 32)
    await home.start()
    ready = await home.reaches(TorPhase.READY)
    assert ready.pid is not None
    monkeypatch.setattr(limits, "TOR_CONTROL_DEADLINE", 2)
    os.kill(ready.pid, signal.SIGSTOP)
    failed = await home.reaches(TorPhase.FAILED)
    monkeypatch.undo()
    assert "does not answer" in failed.reason
    again = await home.reaches(TorPhase.READY)
    assert again.pid not in (None, ready.pid)
    await home.close()


async def test_an_onion_that_died_without_a_word_is_brought_back_by_the_same_tor(
    tor_network: TorNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SELF_PROBE_INTERVAL", 0.5)
    monkeypatch.setattr(limits, "SELF_PROBE_TIMEOUT", 5)
    monkeypatch.setattr(limits, "ONION_REPAIR_FIRST", 1)
    home = Home(tmp_path, tor_network, b"\x0c" * 32)
    strangers = PublicOnion(OnionKey(b"\x0d" * 32), (OnionEntry(8443, Endpoint.unix(str(home.socket))),))
    home.tor.publish(strangers)
    await home.start()
    ready = await home.reaches(TorPhase.READY)
    await home.sees(lambda status: status.public.phase is PublicPhase.READY)
    link = home.tor._link
    assert link is not None
    await link._say("RESETCONF HiddenServiceDir")  # as nothing that anyone could see from outside
    await home.reaches(TorPhase.PROBING)
    again = await home.reaches(TorPhase.READY)
    assert again.repairs + again.public.repairs >= 1, (
        "whichever of the two was missed first: both lie in one torrc"
    )
    assert again.last_repair in ("", "tor reads its torrc again", "tor takes it out and in again")
    assert (again.pid, again.restarts) == (ready.pid, ready.restarts)
    await home.sees(lambda status: status.public.phase is PublicPhase.READY)
    await home.close()


async def test_a_stale_public_file_does_not_stop_tor(tor_network: TorNetwork, tmp_path: Path) -> None:
    home = Home(tmp_path, tor_network, b"\3" * 32)
    folder = tmp_path / "tor" / "onions" / "peers"
    folder.mkdir(parents=True)
    other = OnionKey(b"\4" * 32)
    (folder / "hs_ed25519_public_key").write_bytes(other.public_file)
    (folder / "hostname").write_bytes(other.hostname_file)
    await home.start()
    await home.reaches(TorPhase.BOOTSTRAPPING)
    await home.reaches(TorPhase.READY)
    assert (folder / "hs_ed25519_public_key").read_bytes() == home.key.public_file
    assert (folder / "hostname").read_bytes() == home.key.hostname_file
    await home.close()


async def test_a_tor_left_over_from_a_killed_agent_is_waited_for(
    tor_network: TorNetwork, tmp_path: Path
) -> None:
    home = Home(tmp_path, tor_network, b"\5" * 32)
    lines = ["SocksPort 0", *tor_network.client_torrc.splitlines()]
    left_over = PlainTor(tor_network.binary, tmp_path / "tor" / "state", lines)
    await left_over.start()
    await home.start()
    waited = await home.says("another tor process still uses its folder")
    assert waited.pid is None
    await left_over.stop()
    await home.reaches(TorPhase.READY)
    await home.close()


async def test_a_rejected_torrc_is_told_in_tors_words(tor_network: TorNetwork, tmp_path: Path) -> None:
    home = Home(tmp_path, tor_network, b"\6" * 32)
    (tmp_path / "private-network.torrc").write_text("NoSuchOption 1\n")
    await home.start()
    status = await home.reaches(TorPhase.FAILED)
    assert "NoSuchOption" in status.reason
    await home.close()


async def test_tor_ends_with_the_agent(tor_network: TorNetwork, tmp_path: Path) -> None:
    home = Home(tmp_path, tor_network, b"\x08" * 32)
    await home.start()
    status = await home.reaches(TorPhase.BOOTSTRAPPING)
    assert status.pid is not None
    await home.close()
    with pytest.raises(ProcessLookupError):
        os.kill(status.pid, 0)


async def test_without_a_network_the_status_says_how_far_it_is_and_why(
    tor_network: TorNetwork, tmp_path: Path
) -> None:
    if not can_cut_off():
        missing("this system lets nobody make a network namespace")
    cut_off = tmp_path / "tor-without-network"
    cut_off.write_text(f'#!/bin/sh\nexec unshare -rn {tor_network.binary.path} "$@"\n')
    cut_off.chmod(0o700)
    home = Home(tmp_path, replace(tor_network, binary=TorBinary(cut_off), client_torrc=""), b"\x09" * 32)
    await home.start()
    status = await home.says("no network")
    assert status.phase is TorPhase.BOOTSTRAPPING
    assert (status.percent, status.tag) == (0, "starting")
    assert home.tor.socks is None
    with pytest.raises(PeerUnreachable, match="not ready yet"):
        await home.session.get(f"http://{home.key.address}/")
    await home.close()


async def test_a_network_that_refuses_is_told_apart(tor_network: TorNetwork, tmp_path: Path) -> None:
    nobody = replace(tor_network, client_torrc=tor_network.client_torrc_of_nobody)
    home = Home(tmp_path, nobody, b"\x0a" * 32)
    await home.start()
    await home.says("refuse the connection")
    await home.close()
