"""Supervision of tor, with scripts in tor's place and a clock turned by hand."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from enigma_fed.base.errors import ConfigError, TorControlFailed, TorFailed
from enigma_fed.base.tasks import Tasks
from enigma_fed.transports.tor.binary import TorBinary
from enigma_fed.transports.tor.control import EventKind, TorEvent
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.folders import TorFolders
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.public import OnionEntry, PublicOnion
from enigma_fed.transports.tor.repair import Repair
from enigma_fed.transports.tor.service import ManagedTor, TorOff, TorSettings
from enigma_fed.transports.tor.status import TorPhase, TorStatus
from enigma_fed.transports.tor.supervision import TorNeeds
from tests.support.manualclock import ManualClock

ANSWERS = """\
case "$1" in
--version) echo 'Tor version 0.4.8.13.'; exit;;
--list-modules) echo 'pow: yes'; exit;;
esac
case "$*" in
*--verify-config*) grep -q Nonsense "$4" || exit 0; echo "[warn] Unknown option 'Nonsense'."; exit 1;;
esac"""


class Supervised:
    """A ManagedTor whose binary is a script."""

    def __init__(self, folder: Path, script: str) -> None:
        program = folder / "fake-tor"
        program.write_text(f"#!/bin/sh\n{ANSWERS}\n{script}\n")
        program.chmod(0o700)
        self.clock = ManualClock()
        self.tasks = Tasks()
        self.statuses: asyncio.Queue[TorStatus] = asyncio.Queue()
        settings = TorSettings(folder / "tor", folder / "run", folder / "onion.sock", TorBinary(program))
        self.tor = ManagedTor(
            settings,
            OnionKey(b"\1" * 32),
            TorNeeds(self.tasks, self.clock, self._probe, self.statuses.put_nowait),
        )

    async def _probe(self) -> bool:
        return False

    async def next_failure(self) -> TorStatus:
        async with asyncio.timeout(10):
            while (status := await self.statuses.get()).phase is not TorPhase.FAILED:
                pass
            while not self.clock.sleepers:  # noqa: ASYNC110 - the pause begins in the loop's next turn
                await asyncio.sleep(0)
        return status


async def test_start_returns_at_once_and_a_tor_that_ends_is_started_again_with_growing_pauses(
    tmp_path: Path,
) -> None:
    supervised = Supervised(tmp_path, "echo '[err] no disk'; exit 3")
    await supervised.tor.start()
    assert supervised.tor.status.phase is TorPhase.STARTING
    for restarts, pause in ((1, 1), (2, 2), (3, 4)):
        status = await supervised.next_failure()
        assert status.reason == (
            "Tor stopped or did not start: it ended with status 3: no disk; it is started again"
        )
        assert status.restarts == restarts
        assert status.pid is None
        supervised.clock.advance(pause - 0.01)
        assert supervised.clock.sleepers == 1
        supervised.clock.advance(0.02)
    await supervised.tor.close()


async def test_close_ends_the_process_whatever_it_is_doing(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "exec sleep 60")
    await supervised.tor.start()
    async with asyncio.timeout(10):
        while (status := await supervised.statuses.get()).pid is None:
            pass
    await supervised.tor.close()
    with pytest.raises(ProcessLookupError):
        os.kill(status.pid, 0)
    assert not supervised.tasks.failures


async def test_close_leaves_nothing_of_a_start_that_was_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that writes tor's folders is slower than whoever ends the agent."""
    writing, go_on = threading.Event(), threading.Event()

    def slowly(folders: TorFolders, *_onions: object, **_options: object) -> None:
        writing.set()
        assert go_on.wait(10)
        folders.control_folder.mkdir(parents=True)

    monkeypatch.setattr("enigma_fed.transports.tor.service.prepare", slowly)
    supervised = Supervised(tmp_path, "exec sleep 60")
    await supervised.tor.start()
    assert await asyncio.to_thread(writing.wait, 10)
    closing = asyncio.ensure_future(supervised.tor.close())
    for _ in range(10):  # turns in which it would remove what is not there yet
        await asyncio.sleep(0)
    assert not closing.done()
    go_on.set()
    await closing
    assert list((tmp_path / "run").iterdir()) == []


async def test_close_before_start_is_fine(tmp_path: Path) -> None:
    await Supervised(tmp_path, "exit 0").tor.close()


async def test_connections_that_fail_give_a_reason_until_one_works(tmp_path: Path) -> None:
    tor = Supervised(tmp_path, "exit 0").tor
    tor._heard(TorEvent(EventKind.CONNECTION_FAILED, "NOROUTE"))
    assert "no network" in tor.status.reason
    tor._heard(TorEvent(EventKind.CONNECTED))
    assert tor.status.reason == ""
    tor._heard(TorEvent(EventKind.STATUS, "STATUS_GENERAL WARN CLOCK_SKEW SKEW=9"))
    tor._heard(TorEvent(EventKind.CONNECTED))
    assert "clock" in tor.status.reason


async def test_only_our_own_upload_counts(tmp_path: Path) -> None:
    tor = Supervised(tmp_path, "exit 0").tor
    tor._heard(TorEvent(EventKind.DESCRIPTOR_UPLOADED, "x" * 56))
    assert not tor._life.uploaded.is_set()
    ours = str(OnionKey(b"\1" * 32).address).removesuffix(".onion")
    tor._heard(TorEvent(EventKind.DESCRIPTOR_UPLOADED, ours))
    assert tor._life.uploaded.is_set()


async def test_every_change_is_told_once(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "exit 0")
    line = TorEvent(EventKind.STATUS, 'NOTICE BOOTSTRAP PROGRESS=10 TAG=conn SUMMARY="Connecting"')
    supervised.tor._heard(line)
    supervised.tor._heard(line)
    assert supervised.statuses.qsize() == 1


async def test_off_is_off() -> None:
    off = TorOff()
    off.publish(None)
    await off.start()
    assert off.status.phase is TorPhase.OFF
    assert off.socks is None
    with pytest.raises(TorFailed, match="switched off"):
        await off.wait_ready()
    await off.close()


class Link:
    """A control connection that counts how often tor was told to read its torrc."""

    def __init__(self) -> None:
        self.reloads = 0
        self.error: TorControlFailed | None = None

    async def reload(self) -> None:
        self.reloads += 1
        if self.error is not None:
            raise self.error


async def test_the_owners_lines_change_in_a_running_tor_only_if_it_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tor, link = Supervised(tmp_path, "exit 0").tor, Link()
    monkeypatch.setattr(tor, "_link", link)
    torrc, extra = tmp_path / "tor" / "torrc", tmp_path / "extra"
    extra.write_text("NumCPUs 1\n", encoding="utf-8")
    assert await tor.change_extra(extra)
    assert "NumCPUs 1" in torrc.read_text(encoding="utf-8")
    assert not await tor.change_extra(extra)
    assert link.reloads == 1
    extra.write_text("Nonsense 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="Unknown option 'Nonsense'"):
        await tor.change_extra(extra)
    assert "NumCPUs 1" in torrc.read_text(encoding="utf-8")
    assert {path.name for path in torrc.parent.glob("torrc*")} == {"torrc"}
    link.error = TorControlFailed("gone")
    assert await tor.change_extra(None)
    assert "NumCPUs" not in torrc.read_text(encoding="utf-8")
    assert link.reloads == 2


STRANGERS = PublicOnion(OnionKey(b"\2" * 32), (OnionEntry(8443, Endpoint.unix("/run/registry.sock")),))


async def test_the_torrc_of_a_start_carries_what_is_published_already(tmp_path: Path) -> None:
    supervised = Supervised(tmp_path, "exit 3")
    supervised.tor.publish(STRANGERS)
    await supervised.tor.start()
    await supervised.next_failure()
    await supervised.tor.close()
    torrc = (tmp_path / "tor" / "torrc").read_text(encoding="utf-8")
    assert 'HiddenServicePort 8443 unix:"/run/registry.sock"' in torrc
    assert (tmp_path / "tor" / "onions" / "public" / "hs_ed25519_secret_key").exists()


async def test_invariant_10_the_onion_for_strangers_carries_only_what_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each onion has its own lines; taking one out and in again leaves the other where it is."""
    tor = Supervised(tmp_path, "exit 0").tor
    torrcs: list[dict[str, list[str]]] = []

    class Noting(Link):
        async def reload(self) -> None:
            await super().reload()
            torrcs.append(ports_by_onion((tmp_path / "tor" / "torrc").read_text(encoding="utf-8")))

    monkeypatch.setattr(tor, "_link", Noting())
    peers, strangers = [f'80 unix:"{tmp_path}/onion.sock"'], ['8443 unix:"/run/registry.sock"']
    await tor.put_up(STRANGERS, anew=False)
    await tor.put_up(STRANGERS, anew=False)  # it is there already
    await tor.put_up(STRANGERS, anew=True)
    await tor._mend(Noting(), Repair.RENEW)
    await tor.put_up(None, anew=False)
    both = {"peers": peers, "public": strangers}
    assert torrcs == [both, {"peers": peers}, both, {"public": strangers}, both, {"peers": peers}]


def ports_by_onion(torrc: str) -> dict[str, list[str]]:
    """The name of each onion's folder, and what its ports lead to."""
    found: dict[str, list[str]] = {}
    for line in torrc.splitlines():
        word, _, rest = line.partition(" ")
        if word == "HiddenServiceDir":
            ports = found.setdefault(Path(rest.strip('"')).name, [])
        elif word == "HiddenServicePort":
            ports.append(rest)
    return found


async def test_invariant_10_the_two_onions_never_share_a_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="key of its own"):
        Supervised(tmp_path, "exit 0").tor.publish(PublicOnion(OnionKey(b"\1" * 32), STRANGERS.entries))
