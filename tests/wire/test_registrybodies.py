"""Bodies of requests to a registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import InputRefused, TooLarge
from enigma_fed.wire.registrybodies import (
    NodesPayload,
    Presence,
    RegisterRequest,
    ResolveRequest,
    SyncRequest,
)
from tests.support.registryusers import NOW_MS, User

ALICE, BOB = User("alice"), User("bob")
ANY: dict[str, tuple[Any, list[str]]] = {
    "register": (ALICE.register(), ["handle", "envelope"]),
    "resolve": (ResolveRequest(ALICE.id, bytes(32)), ["handle", "requester_ephemeral_pubkey_hex"]),
    "announce": (Presence(ALICE.id, "https://registry.example:8443", NOW_MS), ["user_id", "addr", "ts_ms"]),
    "sync": (SyncRequest((ALICE.identity(), BOB.identity(username_hint=None))), ["identities"]),
    "nodes": (NodesPayload(("https://a.example", "http://b.example:80/x")), ["nodes"]),
}
each_body = pytest.mark.parametrize(("body", "names"), ANY.values(), ids=ANY)


@each_body
def test_it_is_read_as_it_is_written_in_any_form_of_json(body: Any, names: list[str]) -> None:
    written = body.encode()
    members = json.loads(written)
    assert list(members) == names
    assert b" " not in written
    for text in (written, json.dumps(members), json.dumps(dict(reversed(members.items())), indent=1)):
        assert type(body).decode(text if isinstance(text, bytes) else text.encode()) == body


@each_body
@pytest.mark.parametrize("change", ["twice", "more", "list", "deep", "none", "bom"])
def test_what_every_body_refuses(body: Any, names: list[str], change: str) -> None:
    written = body.encode()
    text = {
        "twice": written.replace(b"{", b'{"%b":1,' % names[0].encode(), 1),
        "more": written[:-1] + b',"envelope key":1}',
        "list": b"[" + written + b"]",
        "deep": b'{"a":' * 30 + b"1" + b"}" * 30,
        "none": b"",
        "bom": b"\xef\xbb\xbf" + written,
    }[change]
    with pytest.raises(InputRefused) as caught:
        type(body).decode(text)
    assert caught.value.field is not None
    assert "envelope key" not in caught.value.message


@each_body
def test_a_member_that_is_missing_is_named(body: Any, names: list[str]) -> None:
    members = json.loads(body.encode())
    for name in names:
        rest = {key: value for key, value in members.items() if key != name}
        with pytest.raises(InputRefused) as caught:
            type(body).decode(json.dumps(rest).encode())
        assert (caught.value.field, caught.value.message) == (name, f"invalid input: {name}")


@each_body
def test_invariant_7_a_body_that_is_too_large_is_not_looked_at(body: Any, names: list[str]) -> None:
    with pytest.raises(TooLarge):
        type(body).decode(b"{" * 3_000_000)


def test_invariant_7_a_body_lists_only_so_many() -> None:
    identities = (ALICE.identity(signature=b"x"),) * (registry_limits.SYNC_IDENTITIES + 1)
    for body in (
        SyncRequest(identities),
        NodesPayload(("http://a",) * (registry_limits.NODES_IN_A_BODY + 1)),
    ):
        with pytest.raises(InputRefused):
            type(body).decode(body.encode())


def test_invariant_7_the_short_way_is_bounded_too() -> None:
    large = RegisterRequest(ALICE.id, ALICE.sealed(bytes(registry_limits.REGISTER_BYTES)))
    with pytest.raises(TooLarge):
        RegisterRequest.decode(large.encode())


def without_space(changed: dict[str, Any]) -> bytes:
    return msgspec.json.encode(changed)


@pytest.mark.parametrize("write", [without_space, lambda changed: json.dumps(changed).encode()])
@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        ("register", {"handle": "00"}, "handle"),
        ("register", {"handle": None}, "handle"),
        ("register", {"envelope": None}, "envelope"),
        (
            "register",
            {"envelope": {"kid": "", "sender_pubkey": "", "nonce": "", "ciphertext": ""}},
            "envelope.kid",
        ),
        ("resolve", {"handle": "g" * 64}, "handle"),
        ("resolve", {"requester_ephemeral_pubkey_hex": "00"}, "requester_ephemeral_pubkey_hex"),
        ("resolve", {"requester_ephemeral_pubkey_hex": 1}, "requester_ephemeral_pubkey_hex"),
        ("announce", {"user_id": ""}, "user_id"),
        ("announce", {"addr": ""}, "addr"),
        ("announce", {"addr": "  "}, "addr"),
        ("announce", {"addr": 5}, "addr"),
        ("announce", {"ts_ms": 0}, "ts_ms"),
        ("announce", {"ts_ms": -5}, "ts_ms"),
        ("announce", {"ts_ms": 2**64}, "ts_ms"),
        ("announce", {"ts_ms": 1.0}, "ts_ms"),
        ("announce", {"ts_ms": True}, "ts_ms"),
        ("sync", {"identities": {}}, "identities"),
        ("sync", {"identities": [1]}, "identities"),
        ("sync", {"identities": [{}]}, "identities.created_at_ms"),
        ("nodes", {"nodes": [{}]}, "nodes.base_url"),
        ("nodes", {"nodes": [{"base_url": 1}]}, "nodes.base_url"),
        ("nodes", {"nodes": [{"base_url": "ftp://a"}]}, "nodes.base_url"),
        ("nodes", {"nodes": [{"base_url": "HTTP://a"}]}, "nodes.base_url"),
        ("nodes", {"nodes": [{"base_url": "http://a", "x": 1}]}, "nodes"),
        ("nodes", {"nodes": ["http://a"]}, "nodes"),
    ],
)
def test_what_is_refused_names_the_member(
    kind: str, changes: dict[str, Any], field: str, write: Callable[[dict[str, Any]], bytes]
) -> None:
    body = ANY[kind][0]
    with pytest.raises(InputRefused) as caught:
        type(body).decode(write(json.loads(body.encode()) | changes))
    assert caught.value.field == field


def test_trap_4_an_address_is_free_text_and_is_kept_trimmed() -> None:
    for text in ("local", "https://registry.example:8443", " [2001:db8::1]:9 ", "ü"):
        assert (
            Presence.decode(without_space({"user_id": ALICE.id.hex, "addr": text, "ts_ms": 1})).address
            == text.strip()
        )


def test_upper_case_digits_are_read() -> None:
    upper = {"handle": ALICE.id.hex.upper(), "requester_ephemeral_pubkey_hex": "AB" * 32}
    assert ResolveRequest.decode(without_space(upper)) == ResolveRequest(ALICE.id, b"\xab" * 32)


def test_identities_that_break_a_rule_are_skipped_in_a_sync_and_counted() -> None:
    broken = [BOB.identity(signature=b""), BOB.identity(created_at_ms=0), BOB.identity(username_hint="\n")]
    read = SyncRequest.decode(SyncRequest((*broken, ALICE.identity())).encode())
    assert read == SyncRequest((ALICE.identity(),), skipped=3)


def test_node_urls_are_trimmed() -> None:
    assert NodesPayload.decode(b'{"nodes":[{"base_url":" http://a "}]}').urls == ("http://a",)


def test_a_registration_is_one_of_the_real_size() -> None:
    """What today's clients send fits many times: the limit is no obstacle to them."""
    assert 2_000 < len(ALICE.register().encode()) < 8_000
    assert RegisterRequest.decode(ALICE.register().encode()).envelope == ALICE.sealed()
