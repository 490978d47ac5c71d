"""Tor's control connection, with a real tor that has no network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from enigma_fed.base.errors import TorControlFailed
from enigma_fed.transports.tor import control
from enigma_fed.transports.tor.bootstrap import parse_bootstrap
from enigma_fed.transports.tor.control import ControlLink, EventKind, TorEvent
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.folders import TorFolders, prepare
from enigma_fed.transports.tor.process import TorProcess, wait_for_socket
from tests.support.tornet import NOBODYS_NETWORK, require_tor

pytestmark = pytest.mark.tor


async def open_link(
    folders: TorFolders, on_event: Callable[[TorEvent], None] = lambda event: None
) -> ControlLink:
    """The owning connection of a tor of ours."""
    access = ControlAccess(Endpoint.unix(str(folders.control_socket)))
    return await ControlLink.open(access, on_event, own=True)


@pytest_asyncio.fixture
async def folders(tmp_path: Path) -> TorFolders:
    folders = TorFolders(tmp_path / "tor", tmp_path / "run")
    (tmp_path / "extra").write_text(NOBODYS_NETWORK)
    prepare(folders, [], tmp_path / "extra")
    return folders


@pytest_asyncio.fixture
async def tor(folders: TorFolders) -> AsyncIterator[TorProcess]:
    tor = await TorProcess.launch(require_tor(), folders.torrc)
    await wait_for_socket(folders.control_socket)
    yield tor
    await tor.stop()


@pytest_asyncio.fixture
async def link(folders: TorFolders, tor: TorProcess) -> AsyncIterator[ControlLink]:
    link = await open_link(folders)
    yield link
    await link.close()


async def test_it_tells_version_and_progress(link: ControlLink) -> None:
    assert (await link.version()).count(".") == 3
    report = parse_bootstrap(await link.bootstrap_line())
    assert report is not None
    assert report.percent < 100


async def test_tor_ends_when_its_owner_is_gone(folders: TorFolders, tor: TorProcess) -> None:
    link = await open_link(folders)
    await link.close()
    async with asyncio.timeout(5):
        assert await tor.wait() == "it ended with status 0"


async def test_a_dead_tor_is_an_error_of_ours(link: ControlLink, tor: TorProcess) -> None:
    await tor.stop()
    with pytest.raises(TorControlFailed, match="its connection was closed"):
        await link.reload()


async def test_no_tor_at_all_is_an_error_of_ours(folders: TorFolders) -> None:
    with pytest.raises(TorControlFailed, match="nothing answers"):
        await open_link(folders)


async def test_it_reloads_and_listens_for_socks(link: ControlLink) -> None:
    before = await link.socks()
    await link.reload()
    assert await link.socks() == before
    assert before.host == "127.0.0.1"


async def test_close_right_after_a_reload_does_not_hang(folders: TorFolders, tor: TorProcess) -> None:
    """stem's own listener for RELOAD and its `close` wait for each other, if both are let."""
    link = await open_link(folders)
    await link.reload()
    async with asyncio.timeout(10):
        await link.close()


async def test_the_loop_is_never_blocked(folders: TorFolders, tor: TorProcess) -> None:
    gaps: list[float] = []

    async def tick() -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.001)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    await control.preload()
    ticking = asyncio.create_task(tick())
    link = await open_link(folders)
    await link.version()
    await link.close()
    ticking.cancel()
    assert len(gaps) > 3  # it ran meanwhile


class FakeEvent:
    """An event as stem gives it."""

    def __init__(self, text: str, **fields: str) -> None:
        self.type = text.split(maxsplit=1)[0]
        self._text = text
        self.__dict__.update(fields)

    def __str__(self) -> str:
        return self._text


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (FakeEvent("STATUS_CLIENT NOTICE X"), TorEvent(EventKind.STATUS, "STATUS_CLIENT NOTICE X")),
        (
            FakeEvent("HS_DESC", action="UPLOADED", address="abc"),
            TorEvent(EventKind.DESCRIPTOR_UPLOADED, "abc"),
        ),
        (FakeEvent("HS_DESC", action="UPLOAD", address="abc"), None),
        (FakeEvent("ORCONN", status="CONNECTED"), TorEvent(EventKind.CONNECTED)),
        (FakeEvent("ORCONN", status="LAUNCHED"), None),
        (
            FakeEvent("ORCONN 192.0.2.1:9001", status="FAILED", reason="NOROUTE"),
            TorEvent(EventKind.CONNECTION_FAILED, "NOROUTE"),
        ),
    ],
)
def test_events_become_values_without_addresses(event: FakeEvent, expected: TorEvent | None) -> None:
    heard: list[TorEvent] = []
    control._forward(event, heard.append)
    assert heard == ([] if expected is None else [expected])
