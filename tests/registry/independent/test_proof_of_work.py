"""Proof of work as old clients bring it, `[pow] enabled = true`; this client knows the wire alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest

from tests.registry.independent import crypto
from tests.registry.independent.client import Client, Person, solve
from tests.registry.independent.process import QUIET, Served, configuration, serving


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    tables = f"{QUIET}[pow]\nenabled = true\ndifficulty = 10\n"
    with serving(tmp_path_factory.mktemp("pow"), configuration(tables=tables)) as made:
        yield made


@pytest.fixture
def client(registry: Served) -> Client:
    return registry.client


def test_trap_5_a_challenge_has_its_end_under_both_names(client: Client) -> None:
    told = client.ask("GET", "/pow/challenge").body
    assert len(told["challenge"]) == 32
    assert told["challenge"] == told["challenge"].lower()
    assert told["expires_ms"] == told["_expires_ms"]
    assert told["difficulty"] >= 10


def test_trap_6_missing_work_is_a_400(client: Client) -> None:
    refused = client.resolve_raw(crypto.user_id("alice"), os.urandom(32))
    assert (refused.status, refused.code) == (400, "POW_REQUIRED")
    assert client.ask("GET", f"/check_user/{crypto.user_id('alice').hex()}").code == "POW_REQUIRED"


def test_register_needs_none(client: Client) -> None:
    assert client.register(Person("nina")).status == 200


def test_a_challenge_without_a_route_opens_one_request_on_any(client: Client) -> None:
    nina = crypto.user_id("nina")
    for path in ("/resolve", "/check_user"):
        header = client.worked()
        if path == "/resolve":
            assert client.resolve_raw(nina, os.urandom(32), header).status == 200
            again = client.ask("GET", f"/check_user/{nina.hex()}", headers=header)
        else:
            assert client.ask("GET", f"/check_user/{nina.hex()}", headers=header).status == 200
            again = client.resolve_raw(nina, os.urandom(32), header)
        assert again.code == "POW_REQUIRED"


def test_a_challenge_for_a_route_opens_that_alone(client: Client) -> None:
    user, header = crypto.user_id("nina"), client.worked("/resolve")
    assert client.ask("GET", f"/check_user/{user.hex()}", headers=header).code == "POW_REQUIRED"
    assert client.resolve_raw(user, os.urandom(32), header).status == 200


def test_the_same_request_again_is_answered_and_another_is_not(client: Client) -> None:
    header, secret = client.worked(), os.urandom(32)
    user = crypto.user_id("nina")
    assert [client.resolve_raw(user, secret, header).status for _ in range(3)] == [200] * 3
    assert client.resolve_raw(user, os.urandom(32), header).code == "POW_REQUIRED"


def test_a_wrong_solution_burns_nothing(client: Client) -> None:
    header, user = client.worked(), crypto.user_id("nina")
    challenge, _, solution = header["x-enigma-pow"].partition(":")
    for wrong in (
        "",
        "nothing",
        f"{challenge}:",
        f":{solution}",
        f"{challenge}:{solution}x",
        f"0:{solution}",
    ):
        refused = client.resolve_raw(user, os.urandom(32), {"x-enigma-pow": wrong})
        assert refused.code == "POW_REQUIRED"
    assert client.resolve_raw(user, os.urandom(32), header).status == 200


def test_hexadecimal_solutions_are_as_good(client: Client) -> None:
    told = client.ask("GET", "/pow/challenge").body
    solution = solve(told["challenge"], told["difficulty"], (f"{each:x}" for each in count()))
    header = {"x-enigma-pow": f"{told['challenge']}:{solution}"}
    assert client.resolve_raw(crypto.user_id("nina"), os.urandom(32), header).status == 200
