"""Which addresses of other registries are listed, and for how long."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import registry_limits as limits
from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.registry.noderules import NodeHealth, due, is_public_address, merged, normalized

ONION: Final = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion"


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("https://node.example.org", "https://node.example.org"),
        (" https://node.example.org/ \n", "https://node.example.org"),
        ("HTTPS://Node.Example.ORG.:443//", "https://node.example.org"),
        ("http://node.example.org:80", "http://node.example.org"),
        ("http://node.example.org:443", "http://node.example.org:443"),
        ("https://node.example.org:8443/registry/", "https://node.example.org:8443/registry"),
        ("https://node.example.org/A/b%20c", "https://node.example.org/A/b%20c"),
        ("https://8.8.8.8:8443", "https://8.8.8.8:8443"),
        ("https://[2A00:1450:4001:0:0::200E]", "https://[2a00:1450:4001::200e]"),
        (f"http://{ONION.upper()}:8443", f"http://{ONION}:8443"),
        ("https://xn--bcher-kva.example.org", "https://xn--bcher-kva.example.org"),
    ],
)
def test_an_address_has_one_form(written: str, normal: str) -> None:
    assert normalized(written) == normal
    assert normalized(normal) == normal


@pytest.mark.parametrize(
    "url",
    [
        "", " ", "node.example.org", "ftp://node.example.org", "https:node.example.org", "https://", "https:///x",
        "https://user@node.example.org", "https://node.example.org?x", "https://node.example.org/#x",
        "https://node.example.org?", "https://node.example.org#", "https://node.example.org:", "https://[::1",
        "https://node.example.org:0", "https://node.example.org:65536", "https://node.example.org:x",
        "https://node.example.org/a/../b", "https://node.example.org/%2e%2E/b", "https://node.example.org/a/.",
        "https://node.example.org/a\\b", "https:\\\\node.example.org", "https://node.example.org/a b",
        "https://node.exam\nple.org", "https://b\u00fccher.example.org", "https://node.example.org/\x00",
        "https://node..example.org", "https://-node.example.org", "https://node.example.org/a//b",
        f"https://{'a' * 64}.example.org", "https://" + "a." * 127 + "example.org",
        "https://" + "x" * 52 + ".onion",
        f"http://{ONION.replace('pg6', 'pg7')}", "https://[fe80::1%25eth0]", "https://[v1.x]",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_registry_is_refused(url: str) -> None:
    with pytest.raises(InputRefused) as refused:
        normalized(url)
    assert refused.value.field == "base_url"


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "x.localhost", "printer", "printer.local", "db.internal", "nas.home.arpa", "LOCALHOST.",
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.2.1",
        "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[ff02::1]", "[2001:db8::1]",
        "[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[2002:7f00:1::]", "[64:ff9b::10.0.0.1]",
        "[2001:0:0:0:0:0:80ff:fffe]",
        "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1",
        "1.2.3.4.5", "node.example.1", "127.0.0.1.",
    ],
)  # fmt: skip
def test_invariant_7_nobody_is_sent_into_a_private_network(host: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(InputRefused):
            normalized(f"{scheme}://{host}:8443/")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.0.0.1", "[::1]", "printer.local"])
def test_networks_of_ones_own_can_be_allowed(host: str) -> None:
    assert normalized(f"http://{host}:8443/", allow_private=True) == f"http://{host}:8443"


def test_invariant_7_an_address_has_a_greatest_length() -> None:
    """limits.NODE_URL_BYTES."""
    url = "https://node.example.org/"
    longest = url + "x" * (limits.NODE_URL_BYTES - len(url))
    assert normalized(longest) == longest
    for longer in (longest + "x", longest + " "):
        with pytest.raises(InputRefused):
            normalized(longer)


@given(st.text(max_size=80) | st.from_regex(r"https?://[a-z0-9.:\[\]%@/?#\\-]{0,40}", fullmatch=True))
def test_any_text_is_refused_or_has_one_form(text: str) -> None:
    try:
        normal = normalized(text)
    except InputRefused:
        return
    assert normalized(normal) == normal
    parts = urlsplit(normal)
    assert (parts.username, parts.query, parts.fragment) == (None, "", "")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::ffff:192.168.0.1", "fe80::1", "ff0e::1", "x", "", "224.0.1.1"]
)
def test_where_a_name_may_not_lead(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00:1450:4001::200e", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_where_a_name_may_lead(address: str) -> None:
    assert is_public_address(address)


def test_a_list_takes_what_is_new_once_while_it_has_room() -> None:
    assert merged(["a", "b"], ["b", "c", "c", "d"], 4) == ("c", "d")
    assert merged(["a", "b"], ["b", "c", "c", "d"], 3) == ("c",)
    assert merged(["a", "b"], ["c"], 1) == ()


def test_a_node_leaves_the_list_after_a_week_of_silence() -> None:
    """limits.NODE_UNREACHABLE, limits.NODE_FAILURES."""
    health = NodeHealth.new(0)
    day = limits.NODE_UNREACHABLE / 7
    for each in range(1, 8):
        assert not health.gone(each * day)
        health = health.after(each * day, answered=False)
    assert health.failures == limits.NODE_FAILURES - 1
    assert not health.gone(limits.NODE_UNREACHABLE), "too few looks for that"
    health = health.after(limits.NODE_UNREACHABLE, answered=False)
    assert health.gone(limits.NODE_UNREACHABLE)
    assert not health.gone(limits.NODE_UNREACHABLE - 1)
    assert not health.after(limits.NODE_UNREACHABLE, answered=True).gone(2 * limits.NODE_UNREACHABLE)


def test_nodes_are_looked_at_in_turn() -> None:
    """limits.NODE_PROBE_INTERVAL, limits.NODE_PROBES_DUE."""
    interval = limits.NODE_PROBE_INTERVAL
    nodes = {str(each): NodeHealth.new(-each) for each in range(limits.NODE_PROBES_DUE + 1)}
    assert due(nodes, interval - limits.NODE_PROBES_DUE - 1) == ()
    last = str(limits.NODE_PROBES_DUE)
    assert due(nodes, interval - limits.NODE_PROBES_DUE) == (last,)
    assert due(nodes, interval) == tuple(str(each) for each in range(limits.NODE_PROBES_DUE, 0, -1))
