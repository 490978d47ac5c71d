"""Who gets an answer of the admin listener, and who a short refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from enigma_fed.daemon.adminrules import METHODS, Names, refusal

TARGETS = frozenset({"/healthz", "/metrics"})
OWN = Names.of("127.0.0.1", 8788)
FOREIGN_HOSTS = (
    "evil.example:8788",
    "evil.example",
    "127.0.0.1",
    "127.0.0.1:8787",
    "localhost",
    "localhost.evil.example:8788",
    "127.0.0.1:8788.evil.example",
    "127.0.0.1.:8788",
    "0.0.0.0:8788",
    "2130706433:8788",
    "[::1]:8788",
    "user@127.0.0.1:8788",
    f"{'a' * 56}.onion",
    f"{'a' * 56}.onion:8788",
    "",
)
FOREIGN_ORIGINS = (
    "http://evil.example",
    "null",
    "",
    "https://127.0.0.1:8788",
    "http://127.0.0.1:8787",
    "http://127.0.0.1",
    "http://127.0.0.1:8788.evil.example",
    "http://127.0.0.1:8788/",
    "file://",
)


def asked(
    *fields: tuple[str, str],
    method: str = "GET",
    target: str = "/metrics",
    names: Names = OWN,
    host: str | None = "127.0.0.1:8788",
) -> int:
    """The status of the refusal, 0 for none."""
    made = CIMultiDict([*([("Host", host)] if host is not None else []), *fields])
    found = refusal(made, method, target, TARGETS, names)
    return 0 if found is None else found.status


@pytest.mark.parametrize("host", ["127.0.0.1:8788", "localhost:8788", "LocalHost:8788"])
@pytest.mark.parametrize("method", METHODS)
def test_a_program_of_this_machine_is_answered(host: str, method: str) -> None:
    assert asked(host=host, method=method) == 0
    assert asked(("Content-Length", "0"), host=host, method=method) == 0


def test_an_ipv6_listener_has_its_own_name_and_port_80_needs_none() -> None:
    six = Names.of("::1", 8788)
    assert asked(host="[::1]:8788", names=six) == 0
    assert asked(host="127.0.0.1:8788", names=six) == 403
    http = Names.of("127.0.0.1", 80)
    assert (asked(host="127.0.0.1", names=http), asked(host="localhost:80", names=http)) == (0, 0)


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_invariant_10_under_a_foreign_name_nothing_is_answered(host: str) -> None:
    assert asked(host=host) == 403


def test_invariant_10_without_a_name_and_with_two_nothing_is_answered() -> None:
    assert asked(host=None) == 403
    assert asked(("Host", "127.0.0.1:8788")) == 400


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_invariant_10_a_page_of_another_origin_is_refused(origin: str) -> None:
    assert asked(("Origin", origin)) == 403


def test_a_page_of_our_own_may_ask() -> None:
    assert asked(("Origin", "http://127.0.0.1:8788"), ("Sec-Fetch-Site", "same-origin")) == 0
    assert asked(("Sec-Fetch-Site", "none")) == 0
    assert asked(("Origin", "http://127.0.0.1:8788"), ("Origin", "http://evil.example")) == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "NONE", "none, cross-site"])
def test_invariant_10_what_a_foreign_page_loads_is_refused_without_an_origin_too(site: str) -> None:
    assert asked(("Sec-Fetch-Site", site)) == 403


@pytest.mark.parametrize(
    "target",
    [
        *("/", "", "*", "/metrics?", "/metrics/", "//metrics", "/%6detrics", "/metrics#x", "/METRICS"),
        *("/rpc/v1", "http://127.0.0.1:8788/metrics", "/healthz/../metrics"),
    ],
)
def test_anything_else_is_not_found(target: str) -> None:
    assert asked(target=target) == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "CONNECT", "get", "TRACE"])
def test_only_get_and_head(method: str) -> None:
    assert asked(method=method) == 405


def test_no_bodies() -> None:
    assert asked(("Content-Length", "1")) == 413
    assert asked(("Transfer-Encoding", "chunked")) == 413


names = st.sampled_from(["Host", "Origin", "Sec-Fetch-Site", "Content-Length", "Transfer-Encoding", "X"])


@given(st.lists(st.tuples(names, st.text(max_size=40))), st.text(max_size=20), st.text(max_size=20))
def test_invariant_10_whatever_is_asked_only_the_own_name_is_answered(
    fields: list[tuple[str, str]], method: str, target: str
) -> None:
    found = refusal(CIMultiDict(fields), method, target, TARGETS, OWN)
    if found is None:
        assert [value.lower() for name, value in fields if name == "Host"] in [[host] for host in OWN.hosts]
        assert (method in METHODS, target in TARGETS) == (True, True)
    else:
        assert found.status in {400, 403, 404, 405, 413}
