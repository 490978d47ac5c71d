"""Which tor an agent takes, found on a machine made of fakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, LooseModes, TorMissing
from enigma_fed.config import TorSection
from enigma_fed.daemon import torplan
from enigma_fed.daemon.listeners import OnionPort
from enigma_fed.daemon.paths import Paths
from enigma_fed.daemon.torplan import control_places, export_onion, make_plan, make_tor
from enigma_fed.transports.tor import binary
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.modes import Choice, TorMode
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.service import ManagedTor, TorOff
from enigma_fed.transports.tor.socksmode import SocksTor
from enigma_fed.transports.tor.supervision import TorNeeds
from enigma_fed.transports.tor.system import SystemTor
from tests.support.fakecontrol import FakeControl


class Machine:
    """No tor at all at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": str(folder / "bin"), "HOME": str(folder)}
        self.control = Endpoint.unix(str(folder / "control"))
        self.socks = Endpoint.unix(str(folder / "socks"))

    def install(self, version: str = "0.4.9.11") -> Path:
        program = self.folder / "bin" / "tor"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho 'Tor version {version}.'\n")
        program.chmod(0o755)
        return program

    async def open_socks(self) -> asyncio.Server:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(3)
            writer.write(b"\x05\x00")
            writer.close()

        return await asyncio.start_unix_server(greet, self.socks.path)


@pytest_asyncio.fixture
async def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    made = Machine(tmp_path)
    monkeypatch.setattr(torplan, "USUAL_CONTROL", (made.control,))
    monkeypatch.setattr(torplan, "USUAL_SOCKS", made.socks)
    monkeypatch.setattr(binary, "_SYSTEM_FOLDERS", ())
    yield made


AUTO = TorSection()


async def test_auto_takes_a_control_port_that_lets_us_in(machine: Machine, paths: Paths) -> None:
    machine.install()
    async with FakeControl(Path(machine.control.path)):
        plan = await make_plan(AUTO, paths, machine.environ)
    assert plan.mode is TorMode.SYSTEM
    assert "lets this agent in (tor 0.4.9.11)" in plan.choice.why
    assert plan.door(paths) == OnionPort("127.0.0.1:8786", fixed=False)


async def test_auto_without_one_takes_a_program(machine: Machine, paths: Paths) -> None:
    program = machine.install()
    plan = await make_plan(AUTO, paths, machine.environ)
    assert plan.mode is TorMode.MANAGED
    assert "nothing answers at unix:" in plan.choice.why
    assert f"{program} is there" in plan.choice.why
    assert plan.door(paths) == paths.rpc_socket


@pytest.mark.parametrize("broken", ["password", "old", "no socks"])
async def test_auto_passes_by_a_tor_that_will_not_do(machine: Machine, paths: Paths, broken: str) -> None:
    machine.install()
    async with FakeControl(Path(machine.control.path)) as tor:
        if broken == "password":
            tor.methods = "HASHEDPASSWORD"
        elif broken == "old":
            tor.info["version"] = "0.3.5.8"
        else:
            tor.info["net/listeners/socks"] = ""
        plan = await make_plan(AUTO, paths, machine.environ)
    assert plan.mode is TorMode.MANAGED
    assert "no system tor" in plan.choice.why


async def test_auto_takes_a_socks_port_when_there_is_nothing_else(machine: Machine, paths: Paths) -> None:
    machine.install("0.3.5.8")
    server = await machine.open_socks()
    plan = await make_plan(AUTO, paths, machine.environ)
    server.close()
    assert (plan.mode, plan.socks) == (TorMode.SOCKS, machine.socks)
    assert plan.door(paths) == OnionPort("127.0.0.1:8786", fixed=True)


async def test_auto_with_no_tor_at_all_says_all_that_is_missing(machine: Machine, paths: Paths) -> None:
    with pytest.raises(TorMissing, match=r"no system tor .*; no tor program .*; no SOCKS port"):
        await make_plan(AUTO, paths, machine.environ)


async def test_who_says_how_tor_is_to_run_gets_a_tor_of_their_own(machine: Machine, paths: Paths) -> None:
    """A private network's lines, and so every test and demo, never touch the machine's own tor."""
    program = machine.install()
    extra = machine.folder / "extra"
    extra.write_text("# nothing\n")
    async with FakeControl(Path(machine.control.path)) as tor:
        for settings in (replace(AUTO, torrc_extra=str(extra)), replace(AUTO, binary=str(program))):
            plan = await make_plan(settings, paths, machine.environ)
            assert plan.mode is TorMode.MANAGED
        assert tor.connections == 0


@pytest.mark.parametrize("mode", ["system", "socks", "off"])
async def test_a_named_mode_is_not_looked_for(machine: Machine, paths: Paths, mode: str) -> None:
    async with FakeControl(Path(machine.control.path)) as tor:
        plan = await make_plan(replace(AUTO, mode=mode), paths, machine.environ)
        assert plan.choice == Choice(TorMode(mode), "tor.mode says so")
        assert tor.connections == 0


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("managed", ManagedTor), ("system", SystemTor), ("socks", SocksTor), ("off", TorOff)],
)
async def test_each_mode_has_its_tor(
    machine: Machine, paths: Paths, needs: TorNeeds, mode: str, kind: type[object]
) -> None:
    machine.install()
    plan = await make_plan(replace(AUTO, mode=mode), paths, machine.environ)
    key = OnionKey(b"\1" * 32)
    tor = make_tor(plan, paths, (key, key.address), lambda: Endpoint("127.0.0.1", 1), needs)
    assert type(tor) is kind
    assert tor.status.mode == mode
    assert (plan.door(paths) is None) is (mode == "off")


@pytest.fixture
def needs() -> TorNeeds:
    from enigma_fed.base.tasks import Tasks
    from tests.support.manualclock import ManualClock

    async def probe() -> bool:
        return True

    return TorNeeds(Tasks(), ManualClock(), probe, lambda status: None)


def test_a_named_control_port_is_the_only_one_and_taken_at_its_word(tmp_path: Path) -> None:
    [place] = control_places(replace(AUTO, control="127.0.0.1:9151"), {})
    assert (place.endpoint, place.named, place.password) == (Endpoint("127.0.0.1", 9151), True, None)
    assert [place.named for place in control_places(AUTO, {})] == [False, False]


def test_the_password_comes_from_its_file_or_from_systemd(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("se cret\nnot this\n")
    file.chmod(0o600)
    [place] = control_places(replace(AUTO, control="127.0.0.1:9051", control_password_file=str(file)), {})
    assert place.password == "se cret"
    (tmp_path / torplan.CREDENTIAL).write_text("credential\n")
    assert control_places(AUTO, {"CREDENTIALS_DIRECTORY": str(tmp_path)})[0].password == "credential"
    assert control_places(AUTO, {"CREDENTIALS_DIRECTORY": "/nowhere"})[0].password is None


def test_invariant_8_a_port_that_was_only_found_hears_no_password(tmp_path: Path) -> None:
    (tmp_path / torplan.CREDENTIAL).write_text("secret")
    places = control_places(AUTO, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert [place.password for place in places if not place.endpoint.is_unix] == [None]


def test_invariant_8_a_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret")
    file.chmod(0o640)
    with pytest.raises(LooseModes):
        control_places(replace(AUTO, control_password_file=str(file)), {})


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * (limits.TOR_PASSWORD_BYTES + 1)])
def test_a_file_without_a_password_is_said(tmp_path: Path, content: bytes) -> None:
    """limits.TOR_PASSWORD_BYTES."""
    file = tmp_path / "password"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="password_file"):
        control_places(replace(AUTO, control_password_file=str(file)), {})
    file.write_bytes(b"x" * limits.TOR_PASSWORD_BYTES)
    assert control_places(replace(AUTO, control_password_file=str(file)), {})[0].password is not None
    with pytest.raises(ConfigError, match="cannot be read"):
        control_places(replace(AUTO, control_password_file=str(tmp_path / "nothing")), {})


def test_the_key_files_for_the_owners_tor_are_the_nodes_own_and_private(paths: Paths) -> None:
    key = OnionKey(b"\1" * 32)
    folder = export_onion(paths, key)
    assert (folder / "hs_ed25519_secret_key").read_bytes() == key.secret_file
    assert [path for path in (folder, *folder.iterdir()) if path.stat().st_mode & 0o077] == []
