"""The private Tor network: it comes up, two do not collide, and nothing is left of it."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from enigma_fed.base.errors import TorFailed
from enigma_fed.demo import network
from enigma_fed.demo.network import PrivateTorNetwork, _seconds_to_vote
from enigma_fed.demo.torprocess import PlainTor
from enigma_fed.transports.tor.binary import TorBinary
from tests.support.tornet import TorNetwork, require_tor


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where networks of this test make their folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def folders_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_relays_start_just_after_a_voting_period_began() -> None:
    for now in (0.0, 7.99, 8.0, 1_800_000_003.5):
        assert 0 < (now + _seconds_to_vote(now)) % 8 < 0.1


@pytest.mark.tor
@pytest.mark.slow
async def test_a_second_network_beside_the_first(tor_network: TorNetwork, temporary: Path) -> None:
    said: list[str] = []
    second = PrivateTorNetwork()
    await second.start(said.append)
    await second.start(said.append)
    pids = second.pids
    assert len(pids) == network.AUTHORITIES
    assert not ports(second.client_torrc) & ports(tor_network.client_torrc)
    assert said[0] == "making keys"
    assert any(text.startswith("relays at ") for text in said)
    assert said[-1] == "consensus ready"
    assert said.count("consensus ready") == 1
    lines = ["ClientOnly 1", "SocksPort 0", *second.client_torrc.splitlines()]
    client = PlainTor(require_tor(), temporary / "client", lines)
    await client.start()
    await client.wait_bootstrapped()
    await client.stop()
    await second.close()
    assert not [pid for pid in pids if is_running(pid)]
    assert folders_in(temporary) == ["client"]
    assert all(is_running(pid) for pid in tor_network.pids)


def ports(torrc: str) -> set[str]:
    return set(re.findall(r"orport=(\d+)", torrc)) | set(re.findall(r"127\.0\.0\.1:(\d+)", torrc))


@pytest.mark.tor
@pytest.mark.parametrize("at", ["making keys", "waiting for", "starting the relays", "relays at"])
async def test_cancelled_anywhere_nothing_is_left(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    require_tor()
    if at != "waiting for":
        monkeypatch.setattr(network, "_seconds_to_vote", lambda now: 0.0)
    starting: asyncio.Task[None] | None = None
    private = PrivateTorNetwork()
    pids: list[int] = []

    def cancel(text: str) -> None:
        pids.extend(private.pids)
        if text.startswith(at):
            assert starting is not None
            starting.cancel()

    starting = asyncio.create_task(private.start(cancel))
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert private.pids == []
    assert not [pid for pid in pids if is_running(pid)]
    assert folders_in(temporary) == []


@pytest.mark.tor
async def test_a_short_consensus_is_tried_again(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No consensus comes in time: everything is begun anew, on other ports, and the last error is told."""
    monkeypatch.setattr(network, "_CONSENSUS_SECONDS", 0.1)
    monkeypatch.setattr(network, "_TRIES", 2)
    monkeypatch.setattr(network, "_seconds_to_vote", lambda now: 0.0)
    said: list[str] = []
    with pytest.raises(TorFailed, match="did not agree"):
        await PrivateTorNetwork(require_tor()).start(said.append)
    assert said.count("making keys") == 2
    assert folders_in(temporary) == []


async def test_no_tor_programs_is_an_error_that_leaves_nothing(temporary: Path) -> None:
    progress: Callable[[str], None] = lambda text: None  # noqa: E731 - nobody listens
    with pytest.raises(Exception, match="tor-gencert"):
        await PrivateTorNetwork(TorBinary(temporary / "none" / "tor")).start(progress)
    assert folders_in(temporary) == []


async def test_close_before_start_is_fine() -> None:
    await PrivateTorNetwork().close()
