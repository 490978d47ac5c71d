"""Invariant 9: an agent speaks to tor's SOCKS and control ports, to its own sockets, and to nothing else.

The kernel is asked: every address that the process, its threads and its children (tor itself apart) connect
with or send to. The peer that it wants to reach names an address of a LAN, too, which nobody may dial.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.fakes import Outcome, invoke
from tests.cli.homes import Forger
from tests.support.fakesocks import FakeSocks
from tests.support.systemcalls import Spoken, spoken, strace
from tests.support.tornet import NOBODYS_NETWORK, require_tor

pytestmark = pytest.mark.timeout(200)
PATIENCE = 60.0
KINDS = {"AF_UNIX SOCK_STREAM", "AF_INET SOCK_STREAM"}
NOTICE = "AF_UNIX SOCK_DGRAM"


class Watched:
    """An agent whose words to the network are noted, and who has a peer to reach."""

    def __init__(self, folder: Path, runtime: Path, tor: str) -> None:
        self.runtime = runtime / "enigma-fed"
        self.trace = folder / "trace"
        self.notices = runtime / "notices"
        config = folder / "config.toml"
        config.write_text(
            '[rpc]\nlisten = "127.0.0.1:0"\n[admin]\nlisten = ""\n[federation]\npoll_interval = 5\n'
            f"[tor]\n{tor}\n"
            '[registry]\nenabled = true\nlisten = "127.0.0.1:0"\nonion = true\n'
            f'onion_listen = "127.0.0.1:{free_port()}"\n'
        )
        self._flags = ("--data-dir", str(folder / "data"), "--config", str(config))
        self("init")
        self("invite", "accept", "-", typed=Forger().signed(lan=["192.0.2.7:8787"]))

    def __call__(self, *words: str, typed: str | None = None) -> Outcome:
        outcome = invoke(*words, *self._flags, typed=typed)
        assert outcome.exit_code == 0, outcome.err
        return outcome

    @contextmanager
    def running(self) -> Iterator[None]:
        """`enigma-fed run` under strace, with somebody who listens for its notices to systemd."""
        command = [*strace(self.trace), sys.executable, "-m", "enigma_fed", *self._flags, "run"]
        environ = {**os.environ, "NOTIFY_SOCKET": str(self.notices)}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(self.notices))
            with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
                wait("the agent is up", lambda: self.pid() is not None)
                try:
                    yield
                finally:
                    # A strace that writes to a file lets no signal through: the agent itself is told.
                    os.kill(self.pid() or process.pid, signal.SIGTERM)
                    process.wait(PATIENCE)

    def pid(self) -> int | None:
        pid: int | None = self("status", "--json").json["pid"]
        return pid

    def spoken(self) -> set[Spoken]:
        return spoken(self.trace, without="tor")


def wait(what: str, look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.1)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ef-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def assert_nothing_else(found: set[Spoken], allowed: set[str]) -> None:
    kinds = {each.where for each in found if each.call == "socket"}
    assert kinds <= {*KINDS, NOTICE}
    assert {each.where for each in found if each.call != "socket"} - allowed == set()


async def test_invariant_9_an_agent_speaks_to_tors_socks_port_and_to_nothing_else(
    tmp_path: Path, runtime: Path
) -> None:
    async with FakeSocks() as socks:
        port = f"{socks.endpoint.host}:{socks.endpoint.port}"
        tor = f'mode = "socks"\nsocks = "{port}"\nlisten = "127.0.0.1:{free_port()}"'
        agent = await asyncio.to_thread(Watched, tmp_path, runtime, tor)

        def live() -> None:
            with agent.running():
                wait("the peer was asked for", lambda: peer in {host for _, host, _ in socks.requests})
                for words in (("status",), ("peer", "list"), ("doctor", "--json")):
                    agent(*words)

        peer = str(Forger().onion)
        await asyncio.to_thread(live)
    found = agent.spoken()
    assert Spoken("connect", port) in found
    assert_nothing_else(found, {port, str(agent.notices)})


@pytest.mark.tor
def test_invariant_9_an_agent_with_a_tor_of_its_own_speaks_to_that_tor_and_to_nothing_else(
    tmp_path: Path, runtime: Path
) -> None:
    require_tor()
    extra = tmp_path / "extra"
    extra.write_text(NOBODYS_NETWORK)
    agent = Watched(tmp_path, runtime, f'mode = "managed"\ntorrc_extra = "{extra}"')
    with agent.running():
        wait("tor is on its way", lambda: agent("status", "--json").json["tor"]["phase"] == "bootstrapping")
    found = agent.spoken()
    [control] = {each.where for each in found if each.where.endswith("/control")}
    assert Path(control).parent.parent == agent.runtime
    ports = {each.where for each in found if each.where.startswith("127.0.0.1:")}
    assert len(ports) <= 1, "its SOCKS port"
    assert_nothing_else(found, {control, str(agent.notices), *ports})


def test_the_kernel_would_have_told(tmp_path: Path) -> None:
    """What such a test has to see: names looked up, datagrams, connections that never stand."""
    script = """\
import socket
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
    datagrams.sendto(b"x", ("127.0.0.1", 9))
with socket.socket() as stream:
    stream.setblocking(False)
    stream.connect_ex(("127.0.0.2", 9))
"""
    trace = tmp_path / "trace"
    subprocess.run([*strace(trace), sys.executable, "-c", script], check=True, timeout=PATIENCE)
    assert spoken(trace) == {
        Spoken("socket", "AF_NETLINK SOCK_RAW"),
        Spoken("socket", "AF_INET SOCK_DGRAM"),
        Spoken("sendto", "127.0.0.1:9"),
        Spoken("socket", "AF_INET SOCK_STREAM"),
        Spoken("connect", "127.0.0.2:9"),
    }
