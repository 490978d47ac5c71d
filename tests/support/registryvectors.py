"""Makes the vectors of the registry's formats, deterministically. Run: python -m tests.support.formatvectors

Each row: `name`, the input, `expect` ("ok" or the error's word), `field` that an error names, what it means.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from enigma_fed.wire import envelope, powchallenge, registryv1
from enigma_fed.wire.ownerchange import LogEntry, encode_log
from enigma_fed.wire.ownerstatement import Action
from enigma_fed.wire.registrybodies import (
    NodesPayload,
    Presence,
    RegisterRequest,
    ResolveRequest,
    SyncRequest,
)
from enigma_fed.wire.registryv1 import PresenceQuery, SignedPresence
from tests.support.formatvectors import Row
from tests.support.identities import did
from tests.support.ownerchanges import REGISTRY, change, log, rotated
from tests.support.registryusers import NOW_MS, PEPPER, SERVER_SECRET, User

ALICE: Final = User("alice")
SMALL: Final = ALICE.identity(signature=b"x")
"""Without a bundle, so that the rows are short."""
REFUSED: Final = "registry-input"
_HEX: Final = "00" * 32
_CLIENT_SECRET: Final = bytes([9]) * 32
_LOW_ORDER: Final = {
    "zero": "00" * 32,
    "one": "01" + "00" * 31,
    "a point of order 8": "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "another point of order 8": "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "p - 1": "ec" + "ff" * 30 + "7f",
    "p": "ed" + "ff" * 30 + "7f",
    "p + 1": "ee" + "ff" * 30 + "7f",
}


def users() -> list[Row]:
    """Names and what they hash to."""
    names = {
        "plain": "alice",
        "another case": "Alice",
        "with an at sign": "@alice",
        "trimmed": "  alice\u3000",
        "composed": "é",
        "decomposed": "e\u0301",
        "a space of no width stays": "\u200balice",
        "64 bytes": "é" * 32,
    }
    refused = {
        "empty": "",
        "blank": "  ",
        "a line end": "alice\n",
        "a control character inside": "al\u0085ice",
        "65 bytes": "é" * 32 + "a",
    }
    rows: list[Row] = [
        {"name": name, "input": text, "expect": "ok", "user_id": User(text).id.hex}
        for name, text in names.items()
    ]
    return rows + [{"name": name, "input": text, "expect": REFUSED} for name, text in refused.items()]


def envelopes() -> list[Row]:
    """Keys and sealed bytes, all hex."""
    server = envelope.public_key(SERVER_SECRET)
    shared = envelope.shared_secret(_CLIENT_SECRET, server, "")
    key = envelope.envelope_key(PEPPER, ALICE.id, shared)
    nonce, plaintext = bytes(range(24)), SMALL.encode()
    facts = {
        "pepper": PEPPER.hex(),
        "user_id": ALICE.id.hex,
        "server_secret": SERVER_SECRET.hex(),
        "server_public": server.hex(),
        "client_secret": _CLIENT_SECRET.hex(),
        "client_public": envelope.public_key(_CLIENT_SECRET).hex(),
        "key": key.hex(),
        "nonce": nonce.hex(),
        "plaintext": plaintext.hex(),
        "ciphertext": envelope.seal(key, ALICE.id, nonce, plaintext).hex(),
    }
    cut = facts["ciphertext"][:-2]
    rows: list[Row] = [
        {"name": "as it is sealed", **facts, "expect": "ok"},
        {"name": "one byte short", **facts, "ciphertext": cut, "expect": REFUSED},
        {"name": "for another user", **facts, "user_id": User("bob").id.hex, "expect": REFUSED},
        {"name": "with another pepper", **facts, "pepper": _HEX, "expect": REFUSED},
        {"name": "shorter than a tag", **facts, "ciphertext": "00" * 15, "expect": REFUSED},
    ]
    return rows + [
        {"name": f"client key is {name}", **facts, "client_public": point, "expect": REFUSED}
        for name, point in _LOW_ORDER.items()
    ]


def _json(members: object, **form: Any) -> str:
    return json.dumps(members, ensure_ascii=False, **form)


def identities() -> list[Row]:
    """Identities as JSON text; what is accepted is written again as the compact text."""
    alice: dict[str, Any] = json.loads(SMALL.encode())
    compact = {"separators": (",", ":")}
    accepted = {
        "as clients write it": ALICE.identity().encode().decode(),
        "without a bundle": _json(alice, **compact),
        "in another order with spaces": _json(dict(reversed(alice.items())), indent=1),
        "without a name": _json({n: v for n, v in alice.items() if n != "username_hint"}, **compact),
        "with keys of one byte": _json({**alice, "signing_public_key": [1], "signature": [255]}, **compact),
        "of the latest time": _json({**alice, "created_at_ms": 2**64 - 1}, **compact),
    }
    refused: dict[str, tuple[str, str]] = {
        "no object": ("[]", ""),
        "a member too many": (_json({**alice, "more": 1}), ""),
        "a member twice": ('{"created_at_ms":1,' + _json(alice)[1:], ""),
        "a name with a line end": (_json({**alice, "username_hint": "a\n"}), ".username_hint"),
        "an empty key": (_json({**alice, "encryption_public_key": []}), ".encryption_public_key"),
        "a number that is no byte": (_json({**alice, "signature": [256]}), ".signature"),
        "a time with a point": (_json({**alice, "created_at_ms": 1.0}), ".created_at_ms"),
        "the time zero": (_json({**alice, "created_at_ms": 0}), ".created_at_ms"),
        "a time of 65 bits": (_json({**alice, "created_at_ms": 2**64}), ".created_at_ms"),
    }
    of_another = ALICE.identity(signature=User("bob").bundle().encode()).encode().decode()
    named_otherwise = _json({**alice, "username_hint": "bob"})
    rows: list[Row] = [
        {"name": name, "input": text, "expect": "ok", "consistent": True} for name, text in accepted.items()
    ]
    rows += [
        {"name": "with a bundle of another", "input": of_another, "expect": "ok", "consistent": False},
        {"name": "with another name", "input": named_otherwise, "expect": "ok", "consistent": False},
    ]
    return rows + [
        {"name": name, "input": text, "expect": REFUSED, "field": "identity" + field}
        for name, (text, field) in refused.items()
    ]


def _good_bodies() -> Mapping[str, bytes]:
    presence = Presence(ALICE.id, "https://registry.example:8443", NOW_MS)
    signature = ALICE.signing_key.sign(registryv1.presence_message(presence, REGISTRY)).signature
    head = log(ALICE)[0].hash
    return {
        "register": RegisterRequest(ALICE.id, ALICE.sealed(SMALL.encode())).encode(),
        "resolve": ResolveRequest(ALICE.id, envelope.public_key(_CLIENT_SECRET)).encode(),
        "announce": presence.encode(),
        "sync": SyncRequest((SMALL, User("bob").identity(username_hint=None, signature=b"x"))).encode(),
        "nodes": NodesPayload(("https://a.example", "http://b.example:80/x")).encode(),
        "update": change(ALICE, Action.UPDATE, SMALL, head).encode(),
        "rotate": change(ALICE, Action.ROTATE, rotated(ALICE), head).encode(),
        "revoke": change(ALICE, Action.REVOKE, None, head).encode(),
        "signed-announce": SignedPresence(presence, REGISTRY, signature).encode(),
        "presence": PresenceQuery(ALICE.id).encode(),
    }


def bodies() -> list[Row]:
    """Bodies of requests, as text."""
    rows: list[Row] = []
    for kind, body in _good_bodies().items():
        members = json.loads(body)
        first = next(iter(members))
        rows += [
            {"name": f"{kind}: as it is sent", "kind": kind, "input": body.decode(), "expect": "ok"},
            {"name": f"{kind}: with spaces", "kind": kind, "input": _json(members, indent=1), "expect": "ok"},
            _bad(kind, "a member too many", {**members, "envelope key": 1}, "body"),
            _bad(kind, f"without {first}", {n: v for n, v in members.items() if n != first}, first),
            _bad(kind, "a list", [members], "body"),
            {
                "name": f"{kind}: a member twice",
                "kind": kind,
                "input": f'{{"{first}":1,{body.decode()[1:]}',
                "expect": REFUSED,
                "field": "body",
            },
        ]
    return rows + _bad_members()


def _bad(kind: str, what: str, members: object, field: str) -> Row:
    return {
        "name": f"{kind}: {what}",
        "kind": kind,
        "input": _json(members, separators=(",", ":")),
        "expect": REFUSED,
        "field": field,
    }


def _bad_members() -> list[Row]:
    good = {kind: json.loads(body) for kind, body in _good_bodies().items()}
    sealed = good["register"]["envelope"]
    statement = good["update"]["statement"]
    changes: list[tuple[str, str, dict[str, Any], str]] = [
        ("register", "a handle with 0x", {"handle": "0x" + _HEX[2:]}, "handle"),
        ("register", "an envelope of null", {"envelope": None}, "envelope"),
        ("register", "a short kid", {"envelope": {**sealed, "kid": "00"}}, "envelope.kid"),
        (
            "register",
            "base64 for URLs",
            {"envelope": {**sealed, "ciphertext": "-_-_"}},
            "envelope.ciphertext",
        ),
        (
            "register",
            "half the padding",
            {"envelope": {**sealed, "ciphertext": "QQ="}},
            "envelope.ciphertext",
        ),
        (
            "resolve",
            "a short key",
            {"requester_ephemeral_pubkey_hex": "00"},
            "requester_ephemeral_pubkey_hex",
        ),
        ("announce", "a blank address", {"addr": " "}, "addr"),
        ("announce", "a long address", {"addr": "a" * 257}, "addr"),
        ("announce", "the time zero", {"ts_ms": 0}, "ts_ms"),
        ("announce", "a time with a point", {"ts_ms": 1.0}, "ts_ms"),
        ("nodes", "another scheme", {"nodes": [{"base_url": "ftp://a"}]}, "nodes.base_url"),
        ("update", "for no registry", {"statement": {**statement, "registry": "x"}}, "statement.registry"),
        ("update", "a registration", {"statement": {**statement, "action": "register"}}, "statement.action"),
        ("update", "two signatures", {"new_signature": "00" * 64}, "new_signature"),
        ("rotate", "one signature", {"new_signature": None}, "new_signature"),
        ("revoke", "an envelope", {"envelope": sealed}, "envelope"),
        ("signed-announce", "a time of 54 bits", {"ts_ms": 2**53}, "ts_ms"),
        ("presence", "a short handle", {"user_id": "00"}, "user_id"),
    ]
    return [_bad(kind, what, {**good[kind], **changed}, field) for kind, what, changed, field in changes]


def proofs() -> list[Row]:
    """Challenges, solutions, difficulties; and challenges of a registry whose secret is 01 x 32."""
    published = "000102030405060708090a0b0c0d0e0f"
    rows: list[Row] = [
        {
            "name": "a published solution",
            "challenge": published,
            "solution": "456",
            "difficulty": 8,
            "expect": "ok",
        },
        {
            "name": "no solution",
            "challenge": published,
            "solution": "0",
            "difficulty": 8,
            "expect": "registry-pow",
        },
        {"name": "nothing is asked", "challenge": "x", "solution": "\u00e9", "difficulty": 0, "expect": "ok"},
    ]
    for route in (None, "/resolve"):
        text = powchallenge.make(bytes([1]) * 32, bytes([2]) * 4, NOW_MS // 1000, 18, route)
        solution = next(str(n) for n in range(10**7) if powchallenge.meets(text, str(n), 18))
        rows.append(
            {
                "name": f"a challenge for {route or 'any route'}",
                "challenge": text,
                "solution": solution,
                "difficulty": 18,
                "expires": NOW_MS // 1000,
                "route": route,
                "expect": "ok",
            }
        )
    return rows


def logs() -> list[Row]:
    """Logs of changes, as text, with the hash of their last entries."""
    whole = log(ALICE)
    other = log(User("bob"))

    def row(name: str, entries: list[LogEntry], expect: str = "ok") -> Row:
        said = {"head": entries[-1].hash.hex()} if expect == "ok" else {}
        return {"name": name, "input": encode_log(entries).decode(), "expect": expect, **said}

    text = encode_log(whole).decode()
    return [
        *(row(f"{count} entries", whole[:count]) for count in range(1, 5)),
        row("without the first", whole[1:], "malformed"),
        row("without the second", [whole[0], *whole[2:]], "malformed"),
        row("after the end", [*whole, whole[1]], "malformed"),
        row("of two users", [whole[0], other[1]], "malformed"),
        {
            "name": "another time",
            "input": text.replace(f'"at_ms":{NOW_MS},', '"at_ms":1,'),
            "expect": "malformed",
        },
        {
            "name": "another registry",
            "input": text.replace(str(REGISTRY), str(did(3))),
            "expect": "malformed",
        },
        {"name": "no list", "input": '{"entries":{}}', "expect": "malformed"},
        {"name": "empty", "input": '{"entries":[]}', "expect": "malformed"},
    ]


FILES: Final[dict[str, Callable[[], list[Row]]]] = {
    "registryuser": users,
    "registryenvelope": envelopes,
    "registryidentity": identities,
    "registrybody": bodies,
    "registrypow": proofs,
    "registrylog": logs,
}
