"""Who a request is counted for."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import registry_limits
from enigma_fed.registry.clientaddress import ClientKey, client_of

PROXY: Final = "10.0.0.1"
TRUSTED: Final = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def _through(*lines: str) -> ClientKey:
    return client_of(PROXY, lines, TRUSTED)


def _direct(peer: str) -> ClientKey:
    return client_of(peer, (), TRUSTED)


def test_a_client_is_its_ipv4_address() -> None:
    assert client_of("203.0.113.7", (), ()) == client_of("203.0.113.7", (), ())
    assert client_of("203.0.113.7", (), ()) != client_of("203.0.113.8", (), ())


def test_a_client_is_its_ipv6_network() -> None:
    assert _direct("2001:db8:1:2::3") == _direct("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert _direct("2001:db8:1:2::3") != _direct("2001:db8:1:3::3")


def test_an_ipv4_address_is_the_same_however_it_comes() -> None:
    assert _direct("::ffff:203.0.113.7") == _direct("203.0.113.7") == _through("203.0.113.7")
    assert _direct("2001:db8::9") == _through("2001:db8::1") == _through("[2001:db8::2]:443")


def test_invariant_7_a_stranger_cannot_choose_its_address_by_a_header() -> None:
    assert client_of("203.0.113.7", ("198.51.100.1",), TRUSTED) == _direct("203.0.113.7")
    assert client_of("203.0.113.7", ("198.51.100.1",), ()) == _direct("203.0.113.7")
    assert client_of("2001:db8::1", ("198.51.100.1",), TRUSTED) == _direct("2001:db8::1")


@pytest.mark.parametrize(
    "lines",
    [
        ("203.0.113.7",),
        ("203.0.113.7:50123",),
        (" 203.0.113.7\t",),
        ("198.51.100.1, 203.0.113.7",),
        ("198.51.100.1", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 10.2.3.4",),
        ("nonsense, 203.0.113.7, fd00::1, 10.2.3.4",),
    ],
)
def test_invariant_7_the_header_is_read_from_the_right(lines: tuple[str, ...]) -> None:
    assert _through(*lines) == _direct("203.0.113.7")


def test_whose_hops_are_all_trusted_is_the_first_of_them() -> None:
    assert _through("10.9.9.9, 10.8.8.8") == _direct("10.9.9.9")


@pytest.mark.parametrize(
    "entry",
    [
        "", " ", "unknown", "_hidden", "203.0.113.7:", "203.0.113.7:x", "203.0.113.7:123456", "203.0.113",
        "1.2.3.4.5", "[2001:db8::1", "[2001:db8::1]x", "[2001:db8::1]:x", "2001:db8::1]",
        "203.0.113.7 203.0.113.8", "\u0661.2.3.4",
    ],
)  # fmt: skip
def test_what_is_no_address_counts_for_the_proxy(entry: str) -> None:
    assert _through(entry) == _through(f"203.0.113.7, {entry}") == _direct(PROXY)


def test_invariant_7_only_so_many_hops_are_read() -> None:
    """registry_limits.FORWARDED_HOPS."""
    hops = ["203.0.113.7", *["10.0.0.2"] * (registry_limits.FORWARDED_HOPS - 1)]
    assert _through(", ".join(hops)) == _direct("203.0.113.7")
    assert _through(", ".join([*hops, "10.0.0.2"])) == _direct(PROXY)


def test_a_peer_that_is_no_address_is_itself() -> None:
    assert client_of("", ("203.0.113.7",), TRUSTED) == client_of("", (), ())


def test_circuits_are_clients_of_their_own() -> None:
    assert ClientKey.circuit(7) == ClientKey.circuit(7) != ClientKey.circuit(8)
    assert ClientKey.shared() == ClientKey.shared() != ClientKey.circuit(7)


def test_invariant_8_a_client_is_not_told_by_printing_it() -> None:
    client = _direct("203.0.113.7")
    assert "203" not in f"{client} {client!r} {[client]}"


@given(st.text(), st.lists(st.text(), max_size=4))
def test_any_text_gives_a_client(peer: str, lines: list[str]) -> None:
    assert isinstance(client_of(peer, lines, TRUSTED), ClientKey)
    assert isinstance(client_of(PROXY, lines, TRUSTED), ClientKey)


@given(st.ip_addresses(v=4), st.lists(st.text(max_size=20), max_size=4))
def test_invariant_7_what_stands_left_of_the_client_changes_nothing(
    address: object, forged: list[str]
) -> None:
    line = ",".join([*forged, str(address)])
    if not any(address in network for network in TRUSTED):  # type: ignore[operator]
        assert _through(line) == _direct(str(address))
