"""The agent's HTTP session: onions only, a user name per peer, plain words when Tor cannot."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from enigma_fed.base.errors import NoWayOut, OnionInvalid, PeerUnreachable
from enigma_fed.base.ids import OnionAddress
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.transports.tor.session import onion_session, renew_circuit
from tests.support.fakesocks import FakeSocks

ALICE, BOB = (OnionKey(bytes([n]) * 32).address for n in (1, 2))


@pytest_asyncio.fixture
async def socks() -> AsyncIterator[FakeSocks]:
    async with FakeSocks() as server:
        yield server


@pytest_asyncio.fixture
async def session(socks: FakeSocks) -> AsyncIterator[aiohttp.ClientSession]:
    async with onion_session(lambda: socks.endpoint, isolation_key=b"k" * 16) as session:
        yield session


async def test_a_request_goes_through_socks_with_the_onions_name(
    socks: FakeSocks, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"http://{ALICE}/") as response:
        assert await response.text() == "hello"
    assert socks.requests[0][1:] == (str(ALICE), 80)


async def test_each_peer_has_a_user_name_of_its_own_that_tells_nothing(
    socks: FakeSocks, session: aiohttp.ClientSession
) -> None:
    for onion in (ALICE, BOB):
        async with session.get(f"http://{onion}/", headers={"Connection": "close"}):
            pass
    async with session.get(f"http://{ALICE}:8080/"):
        pass
    alice, bob, alice_again = (name for name, _, _ in socks.requests)
    assert alice == alice_again
    assert alice != bob
    assert alice not in str(ALICE)
    async with (
        onion_session(lambda: socks.endpoint, isolation_key=b"l" * 16) as after_restart,
        after_restart.get(f"http://{ALICE}/"),
    ):
        pass
    assert socks.requests[-1][0] != alice


async def test_invariant_9_no_name_is_looked_up(
    socks: FakeSocks, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tor gets the name as it is: whoever answers for names here must not learn whom we call."""
    asked: list[str] = []

    async def look_up(host: str, *arguments: object, **options: object) -> list[object]:
        asked.append(str(host))
        raise OSError("nobody may ask")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    with contextlib.suppress(PeerUnreachable):
        async with session.get(f"http://{ALICE}/") as response:
            assert await response.text() == "hello"
    assert [host for host in asked if host != socks.endpoint.host] == []
    assert [request[1] for request in socks.requests] == [str(ALICE)]


async def test_invariant_9_no_proxy_of_the_environment_comes_between(
    socks: FakeSocks, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://192.0.2.1:3128")
    async with session.get(f"http://{ALICE}/") as response:
        assert await response.text() == "hello"
    assert socks.heads[0].startswith(b"GET / HTTP/1.1")


async def test_after_a_call_without_answer_the_next_one_takes_another_circuit(
    socks: FakeSocks, session: aiohttp.ClientSession
) -> None:
    for port, renewed in ((80, BOB), (81, ALICE), (82, BOB)):  # another port is another connection
        async with session.get(f"http://{ALICE}:{port}/"):
            pass
        renew_circuit(session, renewed)
    before, after_bob, after_alice = (name for name, _, _ in socks.requests)
    assert before == after_bob != after_alice


async def test_a_connection_is_kept_for_the_next_call(
    socks: FakeSocks, session: aiohttp.ClientSession
) -> None:
    for _ in range(3):
        async with session.get(f"http://{ALICE}/") as response:
            await response.read()
    assert len(socks.requests) == 1


async def test_nothing_of_the_machine_is_sent_along(socks: FakeSocks, session: aiohttp.ClientSession) -> None:
    async with session.get(f"http://{ALICE}/"):
        pass
    names = {line.split(b":")[0].lower() for line in socks.heads[0].splitlines()[1:] if line}
    assert names == {b"host"}


BAD_CHECKSUM = str(ALICE)[:-8] + ("b" if str(ALICE)[-8] == "a" else "a") + str(ALICE)[-7:]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:80",
        "[::1]",
        "localhost",
        "example.org",
        f"{ALICE}.",
        f"www.{ALICE}",
        f"{ALICE}.example.org",
        str(ALICE)[1:],
        "expyuzz4wqqyqhjn.onion",
        BAD_CHECKSUM,
    ],
)
async def test_invariant_4_nothing_but_a_checked_onion_is_dialled(
    socks: FakeSocks, session: aiohttp.ClientSession, host: str
) -> None:
    with pytest.raises(OnionInvalid):
        await session.get(f"http://{host}/")
    assert socks.requests == []


async def test_invariant_4_a_proxy_is_not_dialled_either(
    socks: FakeSocks, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OnionInvalid):
        await session.get(f"http://{ALICE}/", proxy="http://127.0.0.1:3128")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:3128")
    async with session.get(f"http://{ALICE}/"):
        pass
    assert [host for _, host, _ in socks.requests] == [str(ALICE)]


async def test_invariant_4_an_onion_in_capitals_is_the_same_onion(
    socks: FakeSocks, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"http://{str(ALICE).upper()}/"):
        pass
    assert OnionAddress.parse(socks.requests[0][1]) == ALICE


@pytest.mark.parametrize(
    ("code", "words"), [(0xF0, "not published"), (0xF2, "does not answer"), (0x01, "could not connect")]
)
async def test_tors_refusal_is_told_in_plain_words(
    socks: FakeSocks, session: aiohttp.ClientSession, code: int, words: str
) -> None:
    socks.code = code
    with pytest.raises(PeerUnreachable, match=words) as caught:
        await session.get(f"http://{ALICE}/")
    assert str(ALICE)[:8] not in str(caught.value)


async def test_a_failure_is_not_laid_to_a_tor_that_is_ready(socks: FakeSocks) -> None:
    socks.code = 0x01
    async with onion_session(lambda: socks.endpoint, isolation_key=b"k" * 16, ready=lambda: True) as session:
        with pytest.raises(PeerUnreachable, match="it was not reached: it may be off"):
            await session.get(f"http://{ALICE}/")


@pytest.mark.parametrize(("code", "heard"), [(0xF0, [ALICE]), (0x04, [ALICE]), (0xF2, []), (0x01, [])])
async def test_an_onion_that_was_not_found_is_reported(
    socks: FakeSocks, code: int, heard: list[OnionAddress]
) -> None:
    missed: list[OnionAddress] = []
    socks.code = code
    async with onion_session(
        lambda: socks.endpoint, isolation_key=b"k" * 16, unpublished=missed.append
    ) as session:
        with pytest.raises(PeerUnreachable):
            await session.get(f"http://{ALICE}/")
    assert missed == heard


async def test_without_tor_nothing_is_tried() -> None:
    async with onion_session(lambda: None, isolation_key=b"k" * 16) as session:
        with pytest.raises(NoWayOut, match="not ready yet"):
            await session.get(f"http://{ALICE}/")


async def test_a_tor_that_is_gone_is_told() -> None:
    async with onion_session(lambda: Endpoint("127.0.0.1", 1), isolation_key=b"k" * 16) as session:
        with pytest.raises(NoWayOut, match="starting again"):
            await session.get(f"http://{ALICE}/")


async def test_the_endpoint_is_asked_for_at_every_connection(socks: FakeSocks) -> None:
    endpoints = [Endpoint("127.0.0.1", 1), socks.endpoint]
    async with onion_session(lambda: endpoints.pop(0), isolation_key=b"k" * 16) as session:
        with pytest.raises(PeerUnreachable):
            await session.get(f"http://{ALICE}/")
        async with session.get(f"http://{ALICE}/") as response:
            assert response.status == 200
