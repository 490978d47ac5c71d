"""A plain tor and its control words."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from enigma_fed.base.errors import TorFailed
from enigma_fed.demo.torprocess import ControlWords, PlainTor
from tests.support.tornet import NOBODYS_NETWORK, require_tor

LINES = ["SocksPort 127.0.0.1:auto", *NOBODYS_NETWORK.splitlines()]


@pytest_asyncio.fixture
async def tor(tmp_path: Path) -> AsyncIterator[PlainTor]:
    tor = PlainTor(require_tor(), tmp_path / "tor", LINES)
    await tor.start()
    yield tor
    await tor.stop()


@pytest.mark.tor
async def test_it_answers_control_words(tor: PlainTor) -> None:
    assert (await tor.ask("GETINFO version"))[0].startswith("version=0.4.")
    assert (await tor.ask("GETINFO config-text"))[0] == "config-text="
    assert await tor.percent() < 100
    assert (await tor.socks()).port > 0
    with pytest.raises(TorFailed, match="Unrecognized"):
        await tor.ask("GETINFO nonsense")


@pytest.mark.tor
async def test_it_says_when_it_takes_too_long(tor: PlainTor) -> None:
    with pytest.raises(TorFailed, match="in time"):
        await tor.wait_bootstrapped(0.05)


@pytest.mark.tor
async def test_stop_ends_it_and_may_come_twice(tor: PlainTor) -> None:
    pid = tor.pid
    assert pid is not None
    await tor.stop()
    await tor.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(TorFailed, match="does not run"):
        await tor.ask("GETINFO version")


@pytest.mark.tor
async def test_a_torrc_that_tor_refuses_is_told(tmp_path: Path) -> None:
    tor = PlainTor(require_tor(), tmp_path / "tor", ["NoSuchOption 1"])
    with pytest.raises(TorFailed, match="NoSuchOption"):
        await tor.start()
    await tor.stop()


PARENT = """
import asyncio, sys
from pathlib import Path
from enigma_fed.demo.torprocess import PlainTor
from tests.support.tornet import NOBODYS_NETWORK, require_tor

async def main():
    tor = PlainTor(require_tor(), Path(sys.argv[1]), ["SocksPort 0", *NOBODYS_NETWORK.splitlines()])
    await tor.start()
    print(tor.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.tor
async def test_kill_9_of_its_parent_ends_it(tmp_path: Path) -> None:
    require_tor()
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path / "tor"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()
    # Tor shares the pipe of its parent only through us: the log says when it went, the lock that it did.
    async with asyncio.timeout(5):
        while is_running(pid):  # noqa: ASYNC110 - it is nobody's child that could be waited for
            await asyncio.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_socket_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(TorFailed, match="does not answer"):
        await ControlWords.open(tmp_path / "control", tmp_path / "cookie")


async def test_a_connection_that_breaks_is_an_error_of_ours(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"250-half")
        writer.close()

    async with await asyncio.start_unix_server(hang_up, str(tmp_path / "control")):
        with pytest.raises(TorFailed, match="connection broke"):
            await ControlWords.open(tmp_path / "control", tmp_path / "cookie")
