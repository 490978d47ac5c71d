"""Where a tor listens: what the owner may write, and what tor says itself."""

from __future__ import annotations

import pytest

from enigma_fed.base.errors import ConfigError
from enigma_fed.transports.tor.endpoint import Endpoint, usable_listeners


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9051", Endpoint("127.0.0.1", 9051)),
        ("[::1]:9051", Endpoint("::1", 9051)),
        ("unix:/run/tor/control", Endpoint.unix("/run/tor/control")),
    ],
)
def test_it_reads_and_shows_the_same(text: str, expected: Endpoint) -> None:
    assert Endpoint.parse(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    ["", "9051", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "unix:", "unix:control",
     "::1:9051", "[127.0.0.1]:9051", "localhost:9051"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Endpoint.parse(text)


@pytest.mark.parametrize("text", ["192.0.2.1:9051", "0.0.0.0:9051", "[2001:db8::1]:9051"])
def test_invariant_9_no_tor_on_another_machine_is_ever_named(text: str) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        Endpoint.parse(text)


def test_tcp_comes_before_a_unix_socket() -> None:
    assert usable_listeners('"unix:/run/tor/socks" "127.0.0.1:9050"') == [
        Endpoint("127.0.0.1", 9050),
        Endpoint.unix("/run/tor/socks"),
    ]


def test_a_listener_on_every_address_is_reached_through_loopback() -> None:
    assert usable_listeners('"0.0.0.0:9050" "[::]:9050"') == [
        Endpoint("127.0.0.1", 9050),
        Endpoint("::1", 9050),
    ]


def test_invariant_9_a_listener_on_another_address_is_left_out() -> None:
    assert usable_listeners('"192.0.2.1:9050" "nonsense" ""') == []


def test_quotes_and_escapes_of_tor_are_read() -> None:
    assert usable_listeners(r'"unix:/run/a b\"c/socks"') == [Endpoint.unix('/run/a b"c/socks')]
    assert usable_listeners("127.0.0.1:9050") == [Endpoint("127.0.0.1", 9050)]
    assert usable_listeners("") == []
