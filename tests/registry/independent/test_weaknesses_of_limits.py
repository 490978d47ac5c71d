"""Weaknesses 6 to 10 of the registries that exist: who is counted, how, and what is kept of strangers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.registry.independent import crypto
from tests.registry.independent.client import Answer, Client
from tests.registry.independent.process import PEPPER, Served, configuration, serving


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One with the bursts that it has by default, and a rate that is slower than any busy machine."""
    slow = "[rate_limit]\nper_ip_rps = 1\n"
    with serving(tmp_path_factory.mktemp("limited"), configuration(tables=slow)) as made:
        yield made


@pytest.fixture(scope="module")
def addresses() -> Iterator[str]:
    """Addresses of the loopback network that nobody has called from yet."""
    return (f"127.1.0.{each}" for each in range(1, 255))


@pytest.fixture
def stranger(limited: Served, addresses: Iterator[str]) -> Client:
    """Somebody whom the limited registry has never seen."""
    return Client(*limited.address, PEPPER, next(addresses))


def refused_at(ask: Callable[[], Answer], most: int = 400) -> tuple[int, Answer]:
    """How many requests were answered before one was too many, and what it got."""
    for number in range(most):
        answer = ask()
        if answer.status == 429:
            return number, answer
    raise AssertionError("nothing was too many")


def asks_from(served: Served, source: str, headers: bytes = b"") -> int:
    """The status of one `/check_user` from an address of the loopback network."""
    with socket.create_connection(served.address, timeout=60, source_address=(source, 0)) as connection:
        path = f"/check_user/{crypto.user_id('anybody').hex()}".encode()
        connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n" + headers)
        connection.sendall(b"\r\n")
        line = connection.makefile("rb").readline()
    return int(line.split()[1])


def test_weakness_06_nobody_is_counted_for_another_address(limited: Served) -> None:
    """127.0.0.2 invents addresses, its neighbour's among them: its own count goes on, the neighbour's not."""
    headers = [f"X-Forwarded-For: 127.0.0.3, 203.0.113.{each}\r\n".encode() for each in range(100)]
    statuses = [asks_from(limited, "127.0.0.2", each) for each in headers]
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert asks_from(limited, "127.0.0.3") == 200


def test_weakness_07_too_many_is_answered_with_a_time_and_not_with_a_ban(stranger: Client) -> None:
    path = f"/check_user/{crypto.user_id('anybody').hex()}"
    answered, refused = refused_at(lambda: stranger.ask("GET", path))
    assert answered >= 10
    wait = int(refused.headers["Retry-After"])
    assert (refused.code, 0 < wait <= 3) == ("RATE_LIMITED", True)
    time.sleep(wait)
    assert stranger.ask("GET", path).status == 200


def test_weakness_08_an_announcement_is_counted_once(stranger: Client) -> None:
    """The burst of 10 is ten of them."""
    finn = crypto.user_id("finn")
    answered, _ = refused_at(lambda: stranger.announce(finn, "local", 1))
    assert answered >= 10


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/nodes", None),
        ("POST", "/nodes", b"{"),
        ("GET", "/envelope_pubkey", None),
        ("GET", "/envelope_pubkeys", None),
        ("GET", "/pow/challenge", None),
        ("GET", "/openapi.json", None),
        ("GET", "/v1/registry", None),
        ("POST", "/register", b"no JSON"),
        ("POST", "/v1/change", b"{}"),
        ("GET", "/nowhere", None),
        ("DELETE", "/resolve", None),
    ],
)
def test_weakness_09_every_route_has_a_limit_and_so_has_what_is_malformed(
    stranger: Client, method: str, path: str, body: bytes | None
) -> None:
    answered, refused = refused_at(lambda: stranger.ask(method, path, body))
    assert answered <= 40
    assert int(refused.headers["Retry-After"]) > 0


def test_weakness_10_what_strangers_leave_behind_is_bounded(limited: Served) -> None:
    """A thousand addresses, each with a connection and an account: a few kilobytes of each at most."""
    before = resident(limited)
    for number in range(1000):
        asks_from(limited, f"127.0.{1 + number // 250}.{1 + number % 250}")
    assert resident(limited) - before < 16 << 20


def resident(served: Served) -> int:
    """Resident memory of the process, in bytes."""
    status = Path(f"/proc/{served.process.pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024
