"""Connections through SOCKS: a Unix socket, as a system tor may have no other, and bounded replies."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import PeerUnreachable
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.session import onion_session
from tests.support.fakesocks import FakeSocks

ALICE = OnionKey(b"\1" * 32).address
URL = f"http://{ALICE}/"


async def test_a_request_goes_through_the_socket_with_the_onions_name(tmp_path: Path) -> None:
    async with (
        FakeSocks(path=str(tmp_path / "socks")) as socks,
        onion_session(lambda: socks.endpoint, isolation_key=b"k" * 16) as session,
    ):
        for _ in range(2):  # the second one over the same connection
            async with session.get(URL) as response:
                assert await response.text() == "hello"
        (user, host, port) = socks.requests[0]
        assert len(socks.requests) == 1
        assert (host, port) == (str(ALICE), 80)
        assert len(user) == 32


async def test_tors_refusals_come_through_in_words(tmp_path: Path) -> None:
    async with (
        FakeSocks(0xF0, path=str(tmp_path / "socks")) as socks,
        onion_session(lambda: socks.endpoint, isolation_key=b"k" * 16) as session,
    ):
        with pytest.raises(PeerUnreachable, match="not published"):
            await session.get(URL)


async def test_invariant_7_replies_through_tor_are_bounded() -> None:
    """An endless row of 1xx replies never reaches aiohttp's parser whole."""
    async with (
        FakeSocks() as socks,
        onion_session(lambda: socks.endpoint, isolation_key=b"k" * 16) as session,
    ):
        socks.reply = b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * (limits.HEAD_BYTES // 16)
        with pytest.raises(aiohttp.ClientError):
            await session.get(URL)


async def test_no_tor_at_the_socket_is_said(tmp_path: Path) -> None:
    nobody = Endpoint.unix(str(tmp_path / "nobody"))
    async with onion_session(lambda: nobody, isolation_key=b"k" * 16) as session:
        with pytest.raises(PeerUnreachable, match="tor does not answer"):
            await session.get(URL)
