"""What a client of the registries that exist does, done by one written from their wire alone."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from itertools import count
from pathlib import Path

import pytest

from tests.registry.independent import crypto
from tests.registry.independent.client import Client, Person, compact, solve
from tests.registry.independent.process import KIDS, SECRETS, Served, configuration, key, serving, until

OLD_NAMES = ("carol", "Carol", "@carol", "e\u0301", "\u00e9")
FAR = 4_102_444_800_000
"""Milliseconds; the year 2100."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("registry"), configuration(key(0), key(1, active=False))) as made:
        yield made


@pytest.fixture
def client(registry: Served) -> Client:
    return registry.client


def test_the_crypto_of_this_client_is_the_wire_s() -> None:
    """Values that were made with two other stacks."""
    alice = crypto.user_id("alice")
    assert alice.hex() == "4e586a7d57683f7ae69c6dbe407c986df78603ca12e9cab26d245df1349f08b5"
    server = crypto.exchange_public(bytes(range(0x10, 0x30)))
    assert server.hex() == "d89e3bad79437dbed9f843418304f460ff05c7fe81fe4a9577a804cb9367ff66"
    made = crypto.envelope_key(bytes(range(1, 33)), alice, bytes([9]) * 32, server)
    assert made.hex() == "0b7e1c05e8664b08a2dffe8370539c555298abe7a74ac901fafcdd8f09a52024"
    assert solve("000102030405060708090a0b0c0d0e0f", 8) == next(
        str(each) for each in count() if _passes(str(each))
    )
    assert _passes("456")
    assert not _passes("0")


def _passes(solution: str) -> bool:
    return solve("000102030405060708090a0b0c0d0e0f", 8, iter([solution, "456"])) == solution


def test_a_person_is_registered_and_resolved(client: Client) -> None:
    alice = Person("alice")
    answer = client.register(alice)
    assert (answer.status, answer.body) == (200, {"ok": True})
    assert client.resolve(alice.id) == alice.identity()
    assert client.ask("GET", f"/check_user/{alice.id.hex()}").body == {"exists": True}


def test_whoever_is_absent_resolves_to_null(client: Client) -> None:
    nobody = crypto.user_id("nobody at all")
    assert client.resolve(nobody) is None
    assert client.ask("GET", f"/check_user/{nobody.hex()}").body == {"exists": False}


def test_names_are_not_folded_together(client: Client) -> None:
    people = [Person(name) for name in OLD_NAMES]
    assert len({person.id for person in people}) == len(OLD_NAMES)
    for person in people:
        assert client.register(person).status == 200
    for person in people:
        assert client.resolve(person.id) == person.identity()


def test_an_upper_case_handle_is_the_same_user(client: Client) -> None:
    dora = Person("dora")
    assert client.register(dora).status == 200
    assert client.ask("GET", f"/check_user/{dora.id.hex().upper()}").body == {"exists": True}


def test_each_answer_is_sealed_anew_by_the_active_key(client: Client) -> None:
    erin, secret = Person("erin"), os.urandom(32)
    client.register(erin)
    first, second = (client.resolve_raw(erin.id, secret).body["envelope"] for _ in range(2))
    assert first["kid"] == second["kid"] == KIDS[0]
    assert first["sender_pubkey"] == crypto.exchange_public(SECRETS[0]).hex()
    assert first["nonce"] != second["nonce"]
    assert client.open(erin.id, secret, first) == client.open(erin.id, secret, second) == erin.identity()


def test_a_key_that_is_not_active_opens_registrations(client: Client) -> None:
    old = next(each for each in client.ask("GET", "/envelope_pubkeys").body if not each["active"])
    assert old["kid_hex"] == KIDS[1]
    frank = Person("frank")
    assert client.register(frank, key=old).status == 200
    assert client.resolve(frank.id) == frank.identity()


def test_the_keys_are_told_in_the_order_of_the_file(client: Client) -> None:
    keys = client.ask("GET", "/envelope_pubkeys").body
    assert [set(each) for each in keys] == [{"kid_hex", "x25519_public_key_hex", "active"}] * 2
    assert [each["kid_hex"] for each in keys] == list(KIDS[:2])
    assert client.ask("GET", "/envelope_pubkey").body == keys[0]


def test_a_presence_is_taken(client: Client) -> None:
    gina = Person("gina")
    client.register(gina)
    answer = client.announce(gina.id, "https://registry.example:8443", gina.created_ms)
    assert (answer.status, answer.body) == (200, {"ok": True})
    assert int(answer.headers["Reannounce-After"]) > 0


def test_nodes_are_told_and_taken_from_nobody(client: Client) -> None:
    assert client.ask("GET", "/nodes").body == {"nodes": []}
    refused = client.ask("POST", "/nodes", {"nodes": [{"base_url": "https://registry.example"}]})
    assert (refused.status, refused.code) == (401, "UNAUTHORIZED")
    assert client.ask("GET", "/nodes").body == {"nodes": []}


def test_sync_of_a_stranger_is_unauthorized(client: Client) -> None:
    refused = client.ask("POST", "/sync", {"identities": [Person("mallory").identity()]})
    assert (refused.status, refused.code) == (401, "UNAUTHORIZED")
    assert client.resolve(crypto.user_id("mallory")) is None


def test_without_proof_of_work_there_is_no_challenge(client: Client) -> None:
    """The messenger takes 404 for "not needed"."""
    assert client.ask("GET", "/pow/challenge").status == 404


def test_trap_1_replies_that_are_read_strictly_have_no_more_members(client: Client) -> None:
    henry = Person("henry")
    assert client.register(henry).body == {"ok": True}
    assert client.announce(henry.id, "local", 1).body == {"ok": True}
    assert set(client.ask("GET", f"/check_user/{henry.id.hex()}").body) == {"exists"}
    assert set(client.ask("GET", "/nodes").body) == {"nodes"}
    for each in client.ask("GET", "/envelope_pubkeys").body:
        assert set(each) == {"kid_hex", "x25519_public_key_hex", "active"}
    envelope = client.resolve_raw(henry.id, os.urandom(32)).body["envelope"]
    assert set(envelope) == {"kid", "sender_pubkey", "nonce", "ciphertext"}


def test_trap_2_envelope_key_stands_in_the_message_of_a_lost_key_alone(client: Client) -> None:
    ivan = Person("ivan")
    lost = client.register(ivan, kid="ffffffffffffffff")
    assert (lost.status, lost.code) == (400, "INVALID_INPUT")
    assert "envelope key" in lost.message.lower()
    plain = compact(ivan.identity())
    good = {"handle": ivan.id.hex(), "envelope": client.envelope(ivan.id, plain)}
    for wrong in (
        client.register(ivan, nonce="00" * 24),
        client.register(ivan, ciphertext="AAAA"),
        client.register(ivan, sender_pubkey="00" * 32),
        client.register(ivan, identity=ivan.identity(username_hint="somebody else")),
        client.ask("POST", "/register", good | {"handle": "xyz"}),
        client.ask("POST", "/register", b"{"),
        client.ask("POST", "/register", good | {"more": 1}),
        client.ask("POST", "/resolve", {"handle": ivan.id.hex()}),
        client.ask("GET", "/nowhere"),
    ):
        assert wrong.status in {400, 404}
        assert "envelope key" not in wrong.message.lower()


def test_trap_3_the_same_registration_again_is_no_conflict(client: Client) -> None:
    judy = Person("judy")
    assert client.register(judy).status == 200
    assert client.register(judy).body == {"ok": True}
    other = client.register(Person("judy"))
    assert (other.status, other.code) == (409, "CONFLICT")
    assert client.resolve(judy.id) == judy.identity()


@pytest.mark.parametrize("address", ["local", "http://[::1]:8443", "x" * 256, "\u00fc" * 128])
def test_trap_4_an_address_is_free_text(client: Client, address: str) -> None:
    kim = Person("kim")
    assert client.announce(kim.id, address, 1).body == {"ok": True}


def test_trap_7_keys_may_have_any_length_and_signature_is_none(client: Client) -> None:
    """As the tests of the registries that exist register."""
    liam = Person("liam")
    short = liam.identity(signing_public_key=[1], encryption_public_key=[2, 3], signature=[4, 5, 6])
    assert client.register(liam, identity=short).body == {"ok": True}
    assert client.resolve(liam.id) == short


def test_an_identity_without_a_hint_is_taken(client: Client) -> None:
    mona = Person("mona")
    assert client.register(mona, identity=mona.identity(username_hint=None)).status == 200
    assert client.resolve(mona.id)["username_hint"] is None


def test_a_rotated_key_is_followed_as_the_messenger_does(tmp_path: Path) -> None:
    """Its cached key is unknown one day: a message with `envelope key`, then a fresh one, then success."""
    with serving(tmp_path, configuration(key(0))) as registry:
        client, olga = registry.client, Person("olga")
        cached = client.key()
        assert client.register(olga, key=cached).status == 200
        # Overlap: the old key opens, the new one seals.
        write(tmp_path, configuration(key(1), key(0, active=False, not_after_ms=FAR)))
        registry.reload()
        until(lambda: client.key()["kid_hex"] == KIDS[1])
        assert client.register(Person("pete"), key=cached).status == 200
        assert client.resolve(olga.id) == olga.identity()
        told = client.ask("GET", "/envelope_pubkeys").body
        assert [each.get("not_after_epoch_ms") for each in told] == [None, FAR]
        # The overlap has ended.
        write(tmp_path, configuration(key(1)))
        registry.reload()
        until(lambda: len(client.ask("GET", "/envelope_pubkeys").body) == 1)
        quinn = Person("quinn")
        refused = client.register(quinn, key=cached)
        assert (refused.status, refused.code) == (400, "INVALID_INPUT")
        assert "envelope key" in refused.message.lower()
        assert client.register(quinn).status == 200
        assert client.resolve(olga.id) == olga.identity()


def write(folder: Path, text: str) -> None:
    """Put another configuration in the place of the one before."""
    fresh = folder / "fresh.toml"
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o600)
    fresh.replace(folder / "registry.toml")


def test_invariant_5_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    """Killed while four register at once; `make soak` does it a thousand times."""
    people = [Person(f"rosa {number}") for number in range(40)]
    told: list[Person] = []
    with serving(tmp_path, configuration()) as registry:
        client, key_of_all = registry.client, registry.client.key()

        def register(person: Person) -> None:
            with suppress(OSError, HTTPException):
                assert client.register(person, key=key_of_all).status == 200
                told.append(person)
            if len(told) >= 20:
                registry.kill()

        with ThreadPoolExecutor(4) as callers:
            list(callers.map(register, people))
    assert 20 <= len(told) < len(people)
    with serving(tmp_path) as registry:
        for person in told:
            assert registry.client.resolve(person.id) == person.identity()
        assert registry.client.register(told[0]).body == {"ok": True}
    assert "sled" in registry.log()


def test_the_name_and_the_keys_stand_in_no_file_and_no_log(tmp_path: Path) -> None:
    sven = Person("sven of the long unmistakable name")
    with serving(tmp_path, configuration()) as registry:
        assert registry.client.register(sven).status == 200
    secrets = (sven.name.encode(), sven.id, sven.id.hex().encode(), crypto.exchange_public(sven.exchange))
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "registry.toml"]
    assert {"registry.db", "log"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path


def test_this_client_imports_nothing_of_the_package() -> None:
    for path in Path(__file__).parent.glob("*.py"):
        imported = {
            name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        }
        assert imported
        assert not any(name.split(".")[0] in {"enigma_fed", "nacl"} for name in imported), path
        local = {name for name in imported if name.startswith("tests.")}
        assert all(name.startswith("tests.registry.independent") for name in local), path
