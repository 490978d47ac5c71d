"""Who is let in where, and to whom this program proves itself; real cookies are tested over tor."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import TorControlFailed
from enigma_fed.transports.tor import controlauth
from enigma_fed.transports.tor.control import ControlLink
from enigma_fed.transports.tor.controlauth import ControlAccess
from enigma_fed.transports.tor.endpoint import Endpoint
from tests.support.fakecontrol import FakeControl

PASSWORD = 'with "quotes", \\ and ümlauts'


async def open_link(access: ControlAccess) -> ControlLink:
    return await ControlLink.open(access, lambda event: None, own=False)


async def test_a_unix_socket_that_is_ours_needs_no_proof(tmp_path: Path) -> None:
    async with FakeControl(tmp_path / "control") as tor:
        link = await open_link(ControlAccess(tor.endpoint))
        assert await link.version() == "0.4.9.11"
        await link.close()


async def test_the_right_password_opens_and_the_wrong_one_is_said_to_be_wrong() -> None:
    async with FakeControl() as tor:
        tor.methods, tor.password = "HASHEDPASSWORD", PASSWORD
        link = await open_link(ControlAccess(tor.endpoint, PASSWORD))
        await link.close()
        with pytest.raises(TorControlFailed, match="refuses the password") as caught:
            await open_link(ControlAccess(tor.endpoint, "another"))
        assert "tor.control_password_file" in caught.value.hint
        assert "another" not in str(caught.value)


async def test_a_port_that_wants_a_password_is_told_from_one_that_is_broken() -> None:
    async with FakeControl() as tor:
        tor.methods = "HASHEDPASSWORD"
        with pytest.raises(TorControlFailed, match="asks for a password"):
            await open_link(ControlAccess(tor.endpoint))


async def test_invariant_8_a_port_that_lets_everyone_in_hears_nothing_of_ours() -> None:
    async with FakeControl() as tor:
        with pytest.raises(TorControlFailed, match="lets everyone in"):
            await open_link(ControlAccess(tor.endpoint))
        assert tor.heard("") == tor.heard("PROTOCOLINFO")


async def test_invariant_8_an_impostor_hears_nothing_of_a_cookie(tmp_path: Path) -> None:
    cookie = tmp_path / "cookie"
    cookie.write_bytes(b"k" * 32)
    cookie.chmod(0o644)
    async with FakeControl() as tor:
        tor.methods = f'COOKIE,SAFECOOKIE COOKIEFILE="{cookie}"'
        with pytest.raises(TorControlFailed, match="open to everyone"):
            await open_link(ControlAccess(tor.endpoint))
        cookie.chmod(0o600)
        with pytest.raises(TorControlFailed):  # it cannot answer the challenge
            await open_link(ControlAccess(tor.endpoint))
        assert not tor.heard("AUTHENTICATE")


async def test_invariant_8_a_socket_that_was_only_found_must_be_the_systems_or_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controlauth, "may_listen", lambda user, own: False)
    async with FakeControl(tmp_path / "control") as tor:
        with pytest.raises(TorControlFailed, match="another user"):
            await open_link(ControlAccess(tor.endpoint, named=False))
        assert tor.lines == []
        await (await open_link(ControlAccess(tor.endpoint))).close()


async def test_a_cookie_that_is_not_there_or_no_cookie_is_said(tmp_path: Path) -> None:
    async with FakeControl() as tor:
        tor.methods = f'SAFECOOKIE COOKIEFILE="{tmp_path}/nothing"'
        with pytest.raises(TorControlFailed, match="cannot be read"):
            await open_link(ControlAccess(tor.endpoint))
        (tmp_path / "nothing").write_bytes(b"a key of 33 bytes and nothing else")
        (tmp_path / "nothing").chmod(0o600)
        with pytest.raises(TorControlFailed, match="no cookie of tor"):
            await open_link(ControlAccess(tor.endpoint))


def test_who_may_not_open_it_is_told_the_group(tmp_path: Path) -> None:
    group = os.getgid()
    socket = tmp_path / "control"
    socket.touch(0o660)
    hint = controlauth._group_hint(str(socket))
    if group == 0:
        assert "Let tor open it to a group" in hint  # root's group is nobody's to join
    else:
        assert "usermod -aG" in hint


async def test_nobody_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(TorControlFailed, match="nothing answers"):
        await open_link(ControlAccess(FakeControl(tmp_path / "control").endpoint))


async def test_invariant_8_passwords_and_keys_reach_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    caplog.set_level(1, "stem")
    async with FakeControl() as tor:
        tor.methods, tor.password = "HASHEDPASSWORD", PASSWORD
        link = await open_link(ControlAccess(tor.endpoint, PASSWORD))
        await link.add_onion("ADD_ONION ED25519-V3:c2VjcmV0 Port=80,127.0.0.1:1")
        await link.close()
        assert PASSWORD not in repr(ControlAccess(tor.endpoint, PASSWORD))
    assert PASSWORD.encode().hex() not in caplog.text
    assert "c2VjcmV0" not in caplog.text
    assert logging.getLogger("stem").disabled


async def test_a_tor_that_hangs_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.TOR_CONTROL_DEADLINE."""
    monkeypatch.setattr(limits, "TOR_CONTROL_DEADLINE", 0.2)
    async with FakeControl(tmp_path / "control") as tor, asyncio.timeout(10):
        tor.hangs = True
        with pytest.raises(TorControlFailed, match="does not answer"):
            await open_link(ControlAccess(tor.endpoint))
        tor.hangs = False
        link = await open_link(ControlAccess(tor.endpoint))
        tor.hangs = True
        for _ in range(2):
            with pytest.raises(TorControlFailed, match="does not answer"):
                await link.version()
        await link.close()


async def test_a_port_that_never_answers_is_left_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that stayed with it would keep `doctor` and an agent that stops from ending."""
    monkeypatch.setattr(limits, "TOR_CONTROL_DEADLINE", 0.2)
    before = set(threading.enumerate())
    async with FakeControl(tmp_path / "control") as tor, asyncio.timeout(30):
        tor.hangs = True
        with pytest.raises(TorControlFailed, match="does not answer"):
            await open_link(ControlAccess(tor.endpoint))
        await asyncio.get_running_loop().shutdown_default_executor()
        left = [thread for thread in set(threading.enumerate()) - before if "asyncio" in thread.name]
        assert left == []
        assert tor.connections == 1


async def test_a_port_where_nobody_takes_connections_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOR_CONTROL_DEADLINE", 0.2)
    path = str(tmp_path / "control")
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as waiting:
        listening.bind(path)
        listening.listen(0)
        waiting.connect(path)
        async with asyncio.timeout(10):
            with pytest.raises(TorControlFailed, match="nothing answers"):
                await open_link(ControlAccess(Endpoint.unix(path)))


@pytest.mark.parametrize("words", [b"250-x", b"250-x\r\n", b"250+x\r\n"])
async def test_a_port_that_has_proved_nothing_says_so_much_and_no_more(words: bytes) -> None:
    """limits.TOR_CONTROL_FIRST_BYTES: anybody may listen at a port that was only found."""
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        with connection, contextlib.suppress(OSError):
            while sent < 64 * 2**20:
                sent += connection.send(words * 1000)

    with _talker(talk) as endpoint:
        async with asyncio.timeout(30):
            with pytest.raises(TorControlFailed):
                await open_link(ControlAccess(endpoint))
    assert sent < 32 * 2**20  # what lies in the kernel's buffers comes on top


async def test_a_tor_that_proved_itself_may_say_more(tmp_path: Path) -> None:
    async with FakeControl(tmp_path / "control") as tor:
        link = await open_link(ControlAccess(tor.endpoint))
        tor.info["version"] = "0.4.9.12 " + "x" * limits.TOR_CONTROL_FIRST_BYTES
        assert await link.version() == "0.4.9.12"
        await link.close()


async def test_an_answer_that_makes_no_sense_is_an_error_of_ours(tmp_path: Path) -> None:
    async with FakeControl(tmp_path / "control") as tor:
        tor.refusals["GETINFO version"] = "250-version=none\r\n250 OK"
        with pytest.raises(TorControlFailed, match="its connection failed"):
            await open_link(ControlAccess(tor.endpoint))


@contextlib.contextmanager
def _talker(talk: Callable[[socket.socket], None]) -> Iterator[Endpoint]:
    """A loopback port whose first caller is talked to, whatever it says."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: talk(listening.accept()[0]))
        thread.start()
        yield Endpoint(*listening.getsockname())
        thread.join()
