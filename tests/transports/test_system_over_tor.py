"""A tor that is not ours, on the private network: let in each way, shared, cut off, killed, restarted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import aiohttp
import pytest
import pytest_asyncio

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable, TorControlFailed
from enigma_fed.config import TorSection
from enigma_fed.daemon import torplan
from enigma_fed.daemon.paths import resolve_paths
from enigma_fed.daemon.torplan import make_plan
from enigma_fed.demo.authorities import HeldPorts
from enigma_fed.demo.torprocess import PlainTor
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.endpoint import Endpoint, usable_listeners
from enigma_fed.transports.tor.folders import write_onion
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.public import OnionEntry, PublicOnion
from enigma_fed.transports.tor.session import onion_session
from enigma_fed.transports.tor.status import PublicPhase, TorPhase
from enigma_fed.transports.tor.system import look
from tests.support.torhomes import PAGE, SocksHome, SystemHome, patiently
from tests.support.tornet import TorNetwork

pytestmark = [pytest.mark.tor, pytest.mark.asyncio(loop_scope="module")]

PASSWORD = 'a "password" with \\ in it'


def hashed(binary: Path) -> str:
    """The torrc line for PASSWORD."""
    command = [str(binary), "--hash-password", PASSWORD]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return f"HashedControlPassword {done.stdout.splitlines()[-1]}"


async def control_port(tor: PlainTor) -> Endpoint:
    """Its control port on loopback."""
    [answer, *_] = await tor.ask("GETINFO net/listeners/control")
    return next(each for each in usable_listeners(answer.partition("=")[2]) if not each.is_unix)


def control_socket(tor: PlainTor) -> Endpoint:
    """Its control socket."""
    return Endpoint.unix(str(tor.folder / "control"))


class Relay:
    """Stands between an agent and a control socket, and can cut every connection through it."""

    def __init__(self, path: Path, target: str) -> None:
        self.endpoint = Endpoint.unix(str(path))
        self._target = target
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self.endpoint.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """End every connection, both ends."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._target)
        self._writers += [writer, back]
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        writer.close()


class Stopwatch:
    """The largest pause between two turns of the loop."""

    def __enter__(self) -> Self:
        self.largest = 0.0
        self._task = asyncio.create_task(self._run())
        return self

    def __exit__(self, *_: object) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.001)
            now = time.monotonic()
            self.largest = max(self.largest, now - last)
            last = now


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def machine(
    tor_network: TorNetwork, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PlainTor]:
    """The machine's tor, as its owner runs it."""
    folder = tmp_path_factory.mktemp("machine")
    password = await asyncio.to_thread(hashed, tor_network.binary.path)
    tor = tor_network.plain_client(folder, "ControlPort 127.0.0.1:auto", password)
    await tor.start()
    await tor.wait_bootstrapped()
    yield tor
    await tor.stop()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def home(machine: PlainTor) -> AsyncIterator[SystemHome]:
    home = SystemHome(ControlAccess(control_socket(machine)), b"\x21" * 32)
    await home.start()
    async with asyncio.timeout(90):
        await home.tor.wait_ready()
    yield home
    await home.close()


@pytest_asyncio.fixture(loop_scope="module")
async def call(machine: PlainTor) -> AsyncIterator[aiohttp.ClientSession]:
    endpoint = await machine.socks()
    async with onion_session(lambda: endpoint, isolation_key=os.urandom(16)) as session:
        yield session


@pytest.mark.parametrize("way", ["cookie and socket", "cookie and port", "password and port"])
async def test_each_way_in(machine: PlainTor, way: str) -> None:
    endpoint = await control_port(machine) if "port" in way else control_socket(machine)
    access = ControlAccess(endpoint, PASSWORD if "password" in way else None)
    assert (await look((access,))).startswith("0.4.")


async def test_a_wrong_password_is_said_and_nothing_is_added(machine: PlainTor) -> None:
    with pytest.raises(TorControlFailed, match="refuses the password"):
        await look((ControlAccess(await control_port(machine), "wrong"),))


async def test_the_onion_works_and_the_machines_tor_stays_its_owners(
    home: SystemHome, machine: PlainTor, call: aiohttp.ClientSession
) -> None:
    assert home.tor.status.mode == "system"
    assert home.tor.status.pow is True
    assert await patiently(call, home.url) == PAGE
    assert await machine.ask("GETINFO onions/detached") == ["onions/detached=", "OK"]
    [before] = [line for line in await machine.ask("GETCONF HiddenServiceOptions") if "Hidden" in line]
    assert before == "HiddenServiceOptions"


async def test_an_onion_for_strangers_comes_and_goes_beside_the_one_for_peers(
    home: SystemHome, machine: PlainTor, call: aiohttp.ClientSession
) -> None:
    strangers = OnionKey(b"\x27" * 32)
    home.tor.publish(PublicOnion(strangers, (OnionEntry(8443, home.target()),)))
    await home.sees(lambda status: status.public.phase is PublicPhase.READY)
    assert await patiently(call, f"http://{strangers.address}:8443/") == PAGE
    for onion, port in ((strangers, 80), (home.key, 8443)):  # neither carries what the other does
        with pytest.raises(PeerUnreachable):
            await call.get(f"http://{onion.address}:{port}/")
    assert await machine.ask("GETINFO onions/detached") == ["onions/detached=", "OK"]
    home.tor.publish(None)
    await home.sees(lambda status: status.public.phase is PublicPhase.OFF)
    assert home.tor.status.ready
    assert await patiently(call, home.url) == PAGE


async def test_two_agents_share_a_tor_and_one_that_ends_leaves_the_other_alone(
    home: SystemHome, machine: PlainTor, call: aiohttp.ClientSession
) -> None:
    other = SystemHome(ControlAccess(control_socket(machine)), b"\x22" * 32)
    await other.start()
    async with asyncio.timeout(60):
        await other.tor.wait_ready()
    assert await patiently(call, other.url) == PAGE
    await other.close()
    assert home.tor.status.ready
    assert await patiently(call, home.url) == PAGE
    assert machine.pid is not None
    os.kill(machine.pid, 0)  # and so is tor itself: an agent that ends takes nothing with it


async def test_a_control_connection_that_is_cut_is_noticed_at_once_and_made_anew(
    machine: PlainTor, tmp_path: Path
) -> None:
    async with Relay(tmp_path / "relay", control_socket(machine).path) as relay:
        home = SystemHome(ControlAccess(relay.endpoint), b"\x23" * 32)
        await home.start()
        await home.reaches(TorPhase.READY)
        relay.cut()
        failed = await home.reaches(TorPhase.FAILED, seconds=10)
        assert "its connection was closed" in failed.reason
        again = await home.reaches(TorPhase.READY, seconds=150)
        assert again.restarts == 1
        await home.close()


async def test_an_onion_that_was_lost_is_put_back(
    home: SystemHome, monkeypatch: pytest.MonkeyPatch, machine: PlainTor
) -> None:
    monkeypatch.setattr(limits, "TOR_HEARTBEAT", 0.5)
    loser = SystemHome(ControlAccess(control_socket(machine)), b"\x24" * 32)
    await loser.start()
    await loser.reaches(TorPhase.READY)
    link = loser.tor._link
    assert link is not None
    await link.remove_onion(loser.key.address)
    assert (await loser.sees(lambda status: status.repairs == 1)).restarts == 0
    assert str(loser.key.address).removesuffix(".onion") in await link.onions()
    await loser.close()


async def test_a_tor_that_hangs_is_given_up_without_blocking_the_loop_and_found_again(
    home: SystemHome, machine: PlainTor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOR_HEARTBEAT", 0.5)
    monkeypatch.setattr(limits, "TOR_CONTROL_DEADLINE", 1)
    hung = SystemHome(ControlAccess(control_socket(machine)), b"\x25" * 32)
    await hung.start()
    await hung.reaches(TorPhase.READY)
    assert machine.pid is not None
    with Stopwatch() as watch:
        os.kill(machine.pid, signal.SIGSTOP)
        try:
            failed = await hung.reaches(TorPhase.FAILED)
        finally:
            os.kill(machine.pid, signal.SIGCONT)
        monkeypatch.undo()
        await hung.reaches(TorPhase.READY, seconds=150)
    assert "does not answer" in failed.reason
    print(f"largest gap of the loop while tor hung: {1000 * watch.largest:.0f} ms")
    await hung.close()


async def test_a_tor_that_was_restarted_gets_the_onion_again(
    home: SystemHome, machine: PlainTor, call: aiohttp.ClientSession
) -> None:
    before = home.tor.status
    assert machine.pid is not None
    os.kill(machine.pid, signal.SIGKILL)
    failed = await home.reaches(TorPhase.FAILED, seconds=10)
    assert home.tor.socks is None
    assert "its connection was closed" in failed.reason
    await machine.stop()
    await machine.start()
    ready = await home.reaches(TorPhase.READY, seconds=150)
    assert ready.restarts > before.restarts
    endpoint = await machine.socks()
    async with onion_session(lambda: endpoint, isolation_key=os.urandom(16)) as session:
        assert await patiently(session, home.url) == PAGE


async def test_auto_takes_this_tor(
    machine: PlainTor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torplan, "USUAL_CONTROL", (control_socket(machine),))
    paths = resolve_paths(tmp_path, None, {})
    plan = await make_plan(TorSection(), paths, {})
    assert plan.mode is TorMode.SYSTEM


async def test_an_onion_made_elsewhere_by_a_tor_of_which_we_know_the_socks_port(
    tor_network: TorNetwork, tmp_path: Path
) -> None:
    [port] = (held := HeldPorts.take(1)).numbers
    held.release()
    key = OnionKey(b"\x26" * 32)
    write_onion(tmp_path / "onion", key)
    strangers = OnionKey(b"\x28" * 32)
    write_onion(tmp_path / "public", strangers)
    lines = (
        *(f'HiddenServiceDir "{tmp_path}/onion"', f"HiddenServicePort 80 127.0.0.1:{port}"),
        *(f'HiddenServiceDir "{tmp_path}/public"', f"HiddenServicePort 8443 127.0.0.1:{port}"),
    )
    tor = tor_network.plain_client(tmp_path / "tor", *lines)
    await tor.start()
    await tor.wait_bootstrapped()
    home = SocksHome(await tor.socks(), key.seed, port)
    home.tor.publish(PublicOnion(strangers, (OnionEntry(8443, Endpoint("127.0.0.1", port)),)))
    await home.start()
    ready = await home.reaches(TorPhase.READY)
    assert (ready.mode, ready.pow) == ("socks", None)
    await home.sees(lambda status: status.public.phase is PublicPhase.READY)
    await home.close()
    await tor.stop()
